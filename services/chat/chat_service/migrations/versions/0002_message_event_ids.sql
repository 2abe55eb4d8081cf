alter table message add column event_ids uuid[] not null default '{}';
comment on column message.event_ids is 'The events that carry what was said, from sending and editing: deletion redacts them.';

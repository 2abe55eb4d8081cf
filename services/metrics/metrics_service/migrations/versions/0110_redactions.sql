-- One row: every redaction of chat's log up to here was done to the copies here as well.
create table redaction_position (
  only_row boolean primary key default true check (only_row),
  pos bigint not null default 0
);
insert into redaction_position default values;

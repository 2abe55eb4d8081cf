alter table departure add column read_generation bigint;
comment on column departure.read_generation is
  'The generation of the read marker when the user left, for when they come back. Null: left under a release that kept none.';

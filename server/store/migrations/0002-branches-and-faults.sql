-- The ref a build was pushed to, so that what became of the build can be written there; null where nobody noted it.
ALTER TABLE builds ADD COLUMN ref text;
-- Why the dyno isn't running although it should, as the loop last saw it.
ALTER TABLE dynos ADD COLUMN failure text;

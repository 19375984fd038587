-- The pushed Procfile names a release command: its network can be made ready while the build runs.
ALTER TABLE builds ADD COLUMN has_release_command boolean NOT NULL DEFAULT false;

-- The user that owns a slug's files and runs it; 1000 of those made before.
ALTER TABLE slugs ADD COLUMN uid integer NOT NULL DEFAULT 1000 CHECK (uid > 0);

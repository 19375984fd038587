-- What app.json's healthchecks ask of a new web dyno of this slug, in the form of server/model/health-check.ts.
ALTER TABLE slugs ADD COLUMN health_checks jsonb NOT NULL DEFAULT '[]';

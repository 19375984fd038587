CREATE TABLE accounts (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  email text NOT NULL,
  name text NOT NULL DEFAULT '',
  is_admin boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX accounts_email ON accounts (lower(email));

CREATE TABLE authorizations (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
  description text NOT NULL DEFAULT '',
  token_hash bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz
);
CREATE INDEX authorizations_account ON authorizations (account_id);

CREATE TABLE apps (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name text NOT NULL CHECK (name ~ '^[a-z][a-z0-9-]{1,28}[a-z0-9]$'),
  owner_id uuid NOT NULL REFERENCES accounts,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  maintenance boolean NOT NULL DEFAULT false,
  buildpacks jsonb NOT NULL DEFAULT '[]',
  restarted_at timestamptz,
  destroyed_at timestamptz,
  network_index integer UNIQUE CHECK (network_index >= 0)
);
-- A destroyed app keeps its name until the loop has cleared everything of it away.
CREATE UNIQUE INDEX apps_name ON apps (name);

CREATE TABLE slugs (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  app_id uuid NOT NULL REFERENCES apps ON DELETE CASCADE,
  commit text NOT NULL DEFAULT '',
  commit_description text NOT NULL DEFAULT '',
  image_id text NOT NULL,
  image_reference text NOT NULL,
  size_bytes bigint NOT NULL,
  process_types jsonb NOT NULL,
  buildpacks jsonb NOT NULL DEFAULT '[]',
  stack text NOT NULL,
  pruned_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX slugs_app ON slugs (app_id);

CREATE TABLE releases (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  app_id uuid NOT NULL REFERENCES apps ON DELETE CASCADE,
  version integer NOT NULL CHECK (version > 0),
  slug_id uuid REFERENCES slugs,
  config_vars jsonb NOT NULL,
  process_types jsonb NOT NULL,
  description text NOT NULL,
  account_id uuid REFERENCES accounts ON DELETE SET NULL,
  status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'succeeded', 'failed')),
  command_state text NOT NULL DEFAULT 'none' CHECK (command_state IN ('none', 'waiting', 'started', 'succeeded', 'failed')),
  output text NOT NULL DEFAULT '',
  failure text,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (app_id, version)
);

CREATE TABLE builds (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  app_id uuid NOT NULL REFERENCES apps ON DELETE CASCADE,
  account_id uuid REFERENCES accounts ON DELETE SET NULL,
  status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'succeeded', 'failed')),
  commit text NOT NULL DEFAULT '',
  commit_description text NOT NULL DEFAULT '',
  buildpacks jsonb NOT NULL DEFAULT '[]',
  slug_id uuid REFERENCES slugs,
  release_id uuid REFERENCES releases,
  failure text,
  output text NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX builds_app ON builds (app_id, created_at);
-- One build per app at a time.
CREATE UNIQUE INDEX builds_pending ON builds (app_id) WHERE status = 'pending';

CREATE TABLE formations (
  app_id uuid NOT NULL REFERENCES apps ON DELETE CASCADE,
  type text NOT NULL,
  quantity integer NOT NULL CHECK (quantity >= 0),
  size text NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (app_id, type)
);

-- When a dyno, or with an empty name every dyno of the app, was last asked to restart.
CREATE TABLE dyno_restarts (
  app_id uuid NOT NULL REFERENCES apps ON DELETE CASCADE,
  name text NOT NULL,
  restarted_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (app_id, name)
);

-- What the last pass saw; containers' labels are the record, this is for those who ask.
CREATE TABLE dynos (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  app_id uuid NOT NULL REFERENCES apps ON DELETE CASCADE,
  name text NOT NULL,
  type text NOT NULL,
  size text NOT NULL,
  command text NOT NULL,
  state text NOT NULL CHECK (state IN ('starting', 'up', 'crashed', 'stopping', 'down', 'idle')),
  release_id uuid,
  release_version integer NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (app_id, name)
);

CREATE TABLE one_offs (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  app_id uuid NOT NULL REFERENCES apps ON DELETE CASCADE,
  number integer NOT NULL,
  release_id uuid NOT NULL REFERENCES releases,
  type text NOT NULL DEFAULT 'run',
  command text NOT NULL,
  size text NOT NULL,
  attached boolean NOT NULL,
  tty boolean NOT NULL,
  env jsonb NOT NULL DEFAULT '{}',
  time_to_live_seconds integer NOT NULL,
  state text NOT NULL DEFAULT 'starting' CHECK (state IN ('starting', 'up', 'stopping', 'ended')),
  exit_code integer,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (app_id, number)
);

CREATE TABLE add_ons (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name text NOT NULL UNIQUE,
  app_id uuid REFERENCES apps ON DELETE SET NULL,
  app_name text NOT NULL,
  service text NOT NULL,
  plan text NOT NULL,
  state text NOT NULL DEFAULT 'provisioning' CHECK (state IN ('provisioning', 'provisioned', 'deprovisioned')),
  -- Sealed: what its provider needs to make it and to reach it.
  secrets text NOT NULL,
  failure text,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  destroyed_at timestamptz,
  CHECK ((state = 'deprovisioned') = (destroyed_at IS NOT NULL))
);
CREATE INDEX add_ons_app ON add_ons (app_id);

CREATE TABLE attachments (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  add_on_id uuid NOT NULL REFERENCES add_ons ON DELETE CASCADE,
  app_id uuid NOT NULL REFERENCES apps ON DELETE CASCADE,
  name text NOT NULL CHECK (name ~ '^[A-Z][A-Z0-9_]*$'),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (app_id, name)
);
CREATE INDEX attachments_add_on ON attachments (add_on_id);

CREATE TABLE domains (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  app_id uuid NOT NULL REFERENCES apps ON DELETE CASCADE,
  hostname text NOT NULL UNIQUE CHECK (hostname = lower(hostname)),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);

-- Addresses are handed out in turn, so that one comes back only after all others: a stale route never meets another app.
CREATE SEQUENCE dyno_addresses;
CREATE SEQUENCE route_table_versions;

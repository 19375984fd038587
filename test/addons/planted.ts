/**
 * A schema full of a tenant's own functions and operators, named as PostgreSQL's are but for other types: whatever a
 * superuser's script calls there without saying `pg_catalog`, and not with exactly its types, is one of them.
 */

/** What a planted function says when the superuser calls it. */
export const caught = 'planted code ran as superuser'

const operandTypes = ['int2', 'int4', 'int8', 'text', 'varchar', 'name', 'oid', '"char"', 'bool', 'anyelement']
const argumentTypes = [
  ['text'],
  ['anyelement'],
  ['text', 'text'],
  ['text', 'varchar'],
  ['anyelement', 'anyelement'],
  ['text', 'text', 'text'],
  ['variadic anyarray'],
]

const sql = (words: readonly string[]) => `ARRAY[${words.map((word) => `'${word}'`).join(', ')}]`

/** Run as the tenant. */
export const plant = `
CREATE SCHEMA planted;
SET search_path = pg_catalog;
SET check_function_bodies = off;
DO $plant$
DECLARE
  body text := $$ LANGUAGE plpgsql AS $f$ BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) current_user AND rolsuper) THEN
      RAISE EXCEPTION '${caught}';
    END IF;
    RETURN NULL;
  END $f$ $$;
  name text; l text; r text; made int := 0;
BEGIN
  FOREACH name IN ARRAY ${sql(['=', '<>', '<', '>', '<=', '>=', '||', '~', '~~', '~~*', '+', '-'])} LOOP
    FOREACH l IN ARRAY ${sql(operandTypes)} LOOP FOREACH r IN ARRAY ${sql(operandTypes)} LOOP
      -- PostgreSQL's own of the same types come first anyway.
      made := made + 1;
      EXECUTE format('CREATE FUNCTION planted.operator_%s(%s, %s) RETURNS %s', made, l, r,
        CASE name WHEN '||' THEN 'text' WHEN '+' THEN 'int4' WHEN '-' THEN 'int4' ELSE 'bool' END) || body;
      EXECUTE format('CREATE OPERATOR planted.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = planted.operator_%s)',
        name, l, r, made);
    END LOOP; END LOOP;
  END LOOP;
  FOR name IN SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace LOOP
    FOREACH l IN ARRAY ${sql(argumentTypes.map((types) => types.join(', ')))} LOOP
      EXECUTE format('CREATE FUNCTION planted.%I(%s) RETURNS text', name, l) || body;
    END LOOP;
  END LOOP;
END $plant$;
CREATE TABLE planted.pg_class (oid oid);
CREATE TABLE planted.pg_proc (proname name, pronamespace oid);
RESET ALL;
`

/** Creates every version of an extension where the planted objects are, takes it to every other, and leaves nothing. */
export function tryVersions(extension: string, versions: readonly string[]): string {
  const name = `"${extension}"`
  return versions
    .flatMap((version) => [
      `BEGIN; CREATE EXTENSION ${name} SCHEMA planted VERSION '${version}';`,
      'SAVEPOINT made;',
      ...versions.flatMap((to) => [`ALTER EXTENSION ${name} UPDATE TO '${to}';`, 'ROLLBACK TO made;']),
      'ROLLBACK;',
    ])
    .join('\n')
}

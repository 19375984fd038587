/** What each command is to ask and say, given the answers in `commands.test.ts`. */

/** One command line: `asks` are the requests, `says` what is on stdout, `adds` on stderr, to the letter unless a RegExp. */
export interface Step {
  readonly run: string
  readonly asks: readonly string[]
  readonly says: string | RegExp
  readonly adds?: string | RegExp
  readonly code?: number
}

const patchVars = 'PATCH /apps/my-app/config-vars'
const newest = 'GET /apps/my-app/releases'
export const steps: readonly Step[] = [
  { run: 'apps', asks: ['GET /apps'], says: '=== me@example.com Apps\n\nmy-app\nother (maintenance)\n\n' },
  {
    run: 'create my-app',
    asks: ['POST /apps {"name":"my-app"}'],
    says: 'http://my-app.localhost | http://localhost:5000/my-app.git\n',
    adds: 'Creating ⬢ my-app... done, http://my-app.localhost\n',
  },
  {
    run: 'apps:create',
    asks: ['POST /apps {}'],
    says: /git\n$/,
    adds: 'Creating app... done, ⬢ my-app, http://my-app.localhost\n',
  },
  {
    run: 'create my-app --addons heroku-postgresql,heroku-postgresql:mini -b heroku/python',
    asks: [
      'POST /apps {"name":"my-app"}',
      'POST /apps/my-app/addons {"plan":{"name":"heroku-postgresql"}}',
      'POST /apps/my-app/addons {"plan":{"name":"heroku-postgresql:mini"}}',
      'PUT /apps/my-app/buildpack-installations {"updates":[{"buildpack":"heroku/python"}]}',
    ],
    says: 'http://my-app.localhost | http://localhost:5000/my-app.git\n',
    adds: /^Creating ⬢ my-app\.\.\. done, .*\nCreating heroku-postgresql on ⬢ my-app\.\.\. .*\nCreating heroku-postgresql:mini on /,
  },
  {
    run: 'info -a my-app',
    asks: ['GET /apps/my-app', 'GET /apps/my-app/addons', 'GET /apps/my-app/dynos'],
    says: /^=== ⬢ my-app\n\nAddons: {10}heroku-postgresql:standard-0\nAuto Cert Mgmt: {2}false\nCreated: .*\nDynos: {11}run: 1\n {17}web: 1\nGit URL: .*\nOwner: .*\nRegion: .*\nSlug Size: {7}15 MB\nStack: .*\nWeb URL: .*\n$/,
  },
  {
    run: 'open /about -a my-app --json',
    asks: ['GET /apps/my-app'],
    says: /"url": "http:\/\/my-app.localhost\/about"/,
  },
  {
    run: 'open //evil.test -a my-app',
    asks: ['GET /apps/my-app'],
    says: '',
    adds: /is not a path of the app/,
    code: 1,
  },
  {
    run: 'destroy -a my-app',
    asks: ['GET /apps/my-app'],
    says: '',
    adds: ' ▸    This will destroy ⬢ my-app including all add-ons.\n ▸    To proceed, re-run this command with --confirm my-app.\n',
    code: 1,
  },
  {
    run: 'destroy -a my-app --confirm other',
    asks: ['GET /apps/my-app'],
    says: '',
    adds: ' ▸    Confirmation other did not match my-app. Aborted.\n',
    code: 1,
  },
  {
    run: 'apps:destroy --confirm my-app',
    asks: ['GET /apps/my-app', 'DELETE /apps/my-app'],
    says: '',
    adds: 'Destroying ⬢ my-app (including all add-ons)... done\n',
  },
  {
    run: 'rename new-name -a my-app',
    asks: ['PATCH /apps/my-app {"name":"new-name"}'],
    says: 'http://new-name.localhost | http://localhost:5000/my-app.git\n',
    adds: 'Renaming ⬢ my-app to ⬢ new-name... done\n',
  },
  {
    run: 'config -a my-app',
    asks: ['GET /apps/my-app/config-vars'],
    says: "=== ⬢ my-app Config Vars\n\nA:      1\n        2\nB:      it's\nEMPTY:\n",
  },
  { run: 'config --shell -a my-app', asks: ['GET /apps/my-app/config-vars'], says: /^A='1\n2'\nB="it's"\nEMPTY=''\n$/ },
  { run: 'config:get A MISSING -a my-app', asks: ['GET /apps/my-app/config-vars'], says: '1\n2\n\n' },
  { run: 'config:get A --json -a my-app', asks: ['GET /apps/my-app/config-vars'], says: '{\n  "A": "1\\n2"\n}\n' },
  {
    run: 'config:set A=1 B=2 -a my-app',
    asks: [`${patchVars} {"A":"1","B":"2"}`, newest],
    says: 'A:  1\nB:  2\n',
    adds: 'Setting A and B and restarting ⬢ my-app... done, v3\n',
  },
  {
    run: 'config:set A= -a my-app',
    asks: [`${patchVars} {"A":""}`, newest],
    says: /^A:/,
    adds: /A is set to nothing; paas config:unset A/,
  },
  {
    run: 'config:set A -a my-app',
    asks: [],
    says: '',
    adds: ' ▸    A is invalid. Must be in the format FOO=bar.\n',
    code: 2,
  },
  {
    run: 'config:unset C -a my-app',
    asks: [`${patchVars} {"C":null}`, newest],
    says: '',
    adds: 'Unsetting C and restarting ⬢ my-app... done, v3\n',
  },
  {
    run: 'ps -a my-app',
    asks: ['GET /apps/my-app/dynos'],
    says: /^=== run: one-off processes \(1\)\n\nrun\.7 \(Basic\): up 2026.* ago\): bash\n\n=== web \(Basic\): gunicorn site.wsgi \(1\)\n\nweb\.1: up 2026\/01\/02 03:04:05 \+0000 \(~ \d+d ago\)\n\n$/,
  },
  { run: 'ps:scale -a my-app', asks: ['GET /apps/my-app/formation'], says: 'web=2:Basic worker=1:Basic\n' },
  {
    run: 'scale web=2 worker+1:Basic -a my-app',
    asks: [
      'PATCH /apps/my-app/formation {"updates":[{"type":"web","quantity":"2"},{"type":"worker","quantity":"+1","size":"Basic"}]}',
    ],
    says: '',
    adds: 'Scaling dynos... done, now running web at 2:Basic, worker at 1:Basic\n',
  },
  {
    run: 'ps:type Standard-2X -a my-app',
    asks: [
      'GET /apps/my-app/formation',
      'PATCH /apps/my-app/formation {"updates":[{"type":"web","size":"Standard-2X"},{"type":"worker","size":"Standard-2X"}]}',
    ],
    says: /^Process type {2}Size {3}Running\n─+\nweb {11}Basic {2}2 dynos\nworker {8}Basic {2}1 dyno\n$/,
    adds: 'Changing dyno sizes on ⬢ my-app... done\n',
  },
  {
    run: 'restart -a my-app',
    asks: ['DELETE /apps/my-app/dynos'],
    says: '',
    adds: 'Restarting all dynos on ⬢ my-app... done\n',
  },
  { run: 'ps:restart web.1 -a my-app', asks: ['DELETE /apps/my-app/dynos/web.1'], says: '', adds: /dyno web\.1 on/ },
  { run: 'ps:restart web -a my-app', asks: ['DELETE /apps/my-app/formations/web'], says: '', adds: /all web dynos on/ },
  {
    run: 'ps:stop web.1 -a my-app',
    asks: ['POST /apps/my-app/dynos/web.1/actions/stop {}'],
    says: '',
    adds: /Stopping dyno web\.1/,
  },
  {
    run: 'releases -a my-app -n 3',
    asks: ['GET /apps/my-app/releases'],
    says: /^=== ⬢ my-app Releases - Current: v3\n\nv3 {2}Deploy abc3 {17}me@example.com {2}2026.*\nv2 {2}Deploy abc2 release failed {2}me@.*\nv1 .*\n$/,
  },
  {
    run: 'releases:info v1 -a my-app',
    asks: ['GET /apps/my-app/releases/1'],
    says: /^=== Release v1\n\nBy: .*\nChange: .*\nStatus: +succeeded\nWhen: .*\n$/,
  },
  {
    run: 'releases:output -a my-app',
    asks: [newest],
    says: '',
    adds: ' ▸    Release v3 has no release output available.\n',
  },
  {
    run: 'rollback -a my-app',
    asks: [newest, 'POST /apps/my-app/releases {"release":"release-1"}'],
    says: '',
    adds: /^Rolling back ⬢ my-app to v1\.\.\. done, v4\n ▸ {4}Rollback affects code and config vars; it doesn't add or remove addons\.\n ▸ {4}To undo, run: paas rollback v3\n$/,
  },
  {
    run: 'rollback v1 -a my-app',
    asks: [newest, 'GET /apps/my-app/releases/1', 'POST /apps/my-app/releases {"release":"release-1"}'],
    says: '',
    adds: /to v1/,
  },
  {
    run: 'domains -a my-app',
    asks: ['GET /apps/my-app/domains'],
    says: /^=== ⬢ my-app Domain\n\nmy-app\.localhost\n\n=== ⬢ my-app Custom Domains\n\nDomain Name .*\n─+\nwww\.example\.com {2}CNAME {12}my-app\.localhost {2}pending\n$/,
  },
  {
    run: 'domains:add www.example.com -a my-app --wait',
    asks: [
      'POST /apps/my-app/domains {"hostname":"www.example.com","sni_endpoint":null}',
      'GET /apps/my-app/domains/www.example.com',
    ],
    says: "Configure your app's DNS provider to point to the DNS Target my-app.localhost.\n",
    adds: 'Adding www.example.com to ⬢ my-app... done\nWaiting for www.example.com... done\n',
  },
  {
    run: 'domains:remove www.example.com -a my-app',
    asks: ['DELETE /apps/my-app/domains/www.example.com'],
    says: '',
    adds: /^Removing www\.example\.com from ⬢ my-app\.\.\. done\n$/,
  },
  { run: 'domains:remove .. -a my-app', asks: [], says: '', adds: /\.\.\. !\n ▸ {4}'\.\.' is not a name\n$/, code: 2 },
  {
    run: 'addons -a my-app',
    asks: ['GET /apps/my-app/addons', 'GET /apps/my-app/addon-attachments'],
    says: /^Add-on +Plan +Price +State\n─+\nheroku-postgresql \(postgresql-round-1234\) {2}standard-0 {2}free {3}created\n └─ as DATABASE\n\nThe table above/,
  },
  { run: 'addons --all', asks: ['GET /addons'], says: /^Owning App .*\n─+\nmy-app {6}postgresql-round-1234 / },
  {
    run: 'addons:create heroku-postgresql --as ANALYTICS --wait -a my-app',
    asks: [
      'POST /apps/my-app/addons {"plan":{"name":"heroku-postgresql"},"attachment":{"name":"ANALYTICS"}}',
      'GET /addons/addon-1',
    ],
    says: 'Created postgresql-round-1234 as DATABASE_URL\n',
    adds: 'Creating heroku-postgresql on ⬢ my-app... done, free\nWaiting for postgresql-round-1234... done\n',
  },
  {
    run: 'addons:create heroku-postgresql -a my-app',
    asks: ['POST /apps/my-app/addons {"plan":{"name":"heroku-postgresql"}}'],
    says: /is being created in the background/,
    adds: /free/,
  },
  {
    run: 'addons:attach postgresql-round-1234 --as SHARED -a my-app',
    asks: [
      'POST /actions/addons/resolve {"addon":"postgresql-round-1234"}',
      'POST /addon-attachments {"addon":"postgresql-round-1234","app":"my-app","name":"SHARED"}',
      newest,
    ],
    says: 'Attached as SHARED, v3\n',
    adds: 'Attaching postgresql-round-1234 as SHARED to ⬢ my-app... done\n',
  },
  {
    run: 'addons:detach DATABASE -a my-app',
    asks: ['GET /apps/my-app/addon-attachments', 'DELETE /addon-attachments/att-1', newest],
    says: '',
    adds: 'Detaching DATABASE to postgresql-round-1234 from ⬢ my-app... done, v3\n',
  },
  {
    run: 'addons:destroy DATABASE -a my-app',
    asks: ['POST /actions/addons/resolve {"addon":"DATABASE","app":"my-app"}'],
    says: '',
    adds: /This will destroy postgresql-round-1234 on ⬢ my-app, with all data\.\n.*--confirm my-app/,
    code: 1,
  },
  {
    run: 'addons:destroy DATABASE --confirm my-app',
    asks: ['POST /actions/addons/resolve {"addon":"DATABASE","app":"my-app"}', 'DELETE /apps/my-app/addons/addon-1'],
    says: '',
    adds: 'Destroying postgresql-round-1234 on ⬢ my-app... done\n',
  },
  {
    run: 'addons:info postgresql-round-1234',
    asks: ['POST /actions/addons/resolve {"addon":"postgresql-round-1234"}', 'GET /addons/addon-1/addon-attachments'],
    says: /^=== postgresql-round-1234\n\nAttachments: {3}my-app::DATABASE\nInstalled at: .*\nOwning app: {4}my-app\nPlan: .*\nPrice: +free\nState: +created\n$/,
  },
  {
    run: 'addons:services',
    asks: ['GET /addon-services'],
    says: /^Slug .*\n─+\nheroku-postgresql {2}PostgreSQL {2}ga\n/,
  },
  {
    run: 'addons:plans heroku-postgresql',
    asks: ['GET /addon-services/heroku-postgresql/plans'],
    says: /default {2}heroku-postgresql:standard-0 {2}1 GB {9}free\n$/,
  },
  {
    run: 'pg -a my-app',
    asks: ['GET /apps/my-app/addon-attachments', 'GET /apps/my-app/addons', 'GET /client/v11/databases/addon-1'],
    says: '=== DATABASE_URL\n\nStatus:  Available\nAdd-on:  postgresql-round-1234\n\n',
  },
  { run: 'maintenance -a my-app', asks: ['GET /apps/my-app'], says: 'off\n' },
  {
    run: 'maintenance:on -a my-app',
    asks: ['PATCH /apps/my-app {"maintenance":true}'],
    says: '',
    adds: 'Enabling maintenance mode for ⬢ my-app... done\n',
  },
  {
    run: 'maintenance:off -a my-app',
    asks: ['PATCH /apps/my-app {"maintenance":false}'],
    says: '',
    adds: /^Disabling/,
  },
  {
    run: 'buildpacks -a my-app',
    asks: ['GET /apps/my-app/buildpack-installations'],
    says: '=== ⬢ my-app Buildpacks\n\n1. heroku/python\n2. heroku/nodejs\n',
  },
  {
    run: 'buildpacks:add heroku/ruby -i 2 -a my-app',
    asks: [
      'GET /apps/my-app/buildpack-installations',
      'PUT /apps/my-app/buildpack-installations {"updates":[{"buildpack":"heroku/python"},{"buildpack":"heroku/ruby"},{"buildpack":"heroku/nodejs"}]}',
    ],
    says: /^Buildpack added\. Next release on my-app will use:\n {2}1\. heroku\/python\n {2}2\. heroku\/ruby\n {2}3\. heroku\/nodejs\nRun git push paas master/,
  },
  {
    run: 'buildpacks:set heroku/ruby -i 2 -a my-app',
    asks: [
      'GET /apps/my-app/buildpack-installations',
      'PUT /apps/my-app/buildpack-installations {"updates":[{"buildpack":"heroku/python"},{"buildpack":"heroku/ruby"}]}',
    ],
    says: /^Buildpack set/,
  },
  {
    run: 'buildpacks:remove heroku/python -a my-app',
    asks: [
      'GET /apps/my-app/buildpack-installations',
      'PUT /apps/my-app/buildpack-installations {"updates":[{"buildpack":"heroku/nodejs"}]}',
    ],
    says: /will use heroku\/nodejs\.\n/,
  },
  {
    run: 'buildpacks:clear -a my-app',
    asks: ['PUT /apps/my-app/buildpack-installations {"updates":[]}'],
    says: /will detect its buildpack\.\n$/,
  },
  {
    run: 'builds -a my-app',
    asks: ['GET /apps/my-app/builds'],
    says: /build-1 {2}succeeded {2}abcdef01 {2}me@example.com {2}2026/,
  },
  {
    run: 'builds:info build-1 -a my-app',
    asks: ['GET /apps/my-app/builds/build-1'],
    says: /^=== Build build-1\n[\s\S]*Status: +succeeded\nVersion: +abcdef0123456789\n$/,
  },
  {
    run: 'builds:output build-1 -a my-app',
    asks: ['GET /apps/my-app/builds/build-1', 'GET /streams/build-1'],
    says: '-----> Python app detected\nDone\n',
  },
  { run: 'authorizations', asks: ['GET /oauth/authorizations'], says: 'CI  auth-1  global\n' },
  {
    run: 'authorizations:create -d CI -S',
    asks: ['POST /oauth/authorizations {"description":"CI"}'],
    says: 'HRKU-new\n',
    adds: 'Creating OAuth Authorization... done\n',
  },
  {
    run: 'authorizations:revoke auth-1',
    asks: ['DELETE /oauth/authorizations/auth-1'],
    says: '',
    adds: /revoked authorization from CI/,
  },
  { run: 'whoami', asks: ['GET /account'], says: 'me@example.com\n', adds: ' ▸    PAAS_API_KEY is set.\n' },
  { run: 'account --json', asks: ['GET /account'], says: /^\{\n {2}"id": "acc-1",\n {2}"email": "me@example.com"/ },
  { run: 'status', asks: ['GET /health'], says: /^Platform: .*\nstatus: +ok\nchecks\.database: +ok\n$/ },
]

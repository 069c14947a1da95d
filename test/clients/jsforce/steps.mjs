// The steps a user of jsforce takes, against the org whose address and credentials are in ORG. One line is printed for each.
import { createRequire } from 'node:module';
import { createHash, randomBytes } from 'node:crypto';

const require = createRequire(process.env.CLIENT_DIR + '/');
const jsforce = require('jsforce');
const { StreamingExtension } = require('jsforce/lib/api/streaming');
const org = JSON.parse(process.env.ORG);
const oauth2 = { loginUrl: org.url, clientId: org.client_id, clientSecret: org.client_secret, redirectUri: 'http://127.0.0.1/callback' };
const password = org.password + org.security_token;
console.log('version jsforce ' + require('jsforce/package.json').version + ' node ' + process.version);

async function step(name, fn) {
  const timer = new Promise((_, no) => setTimeout(() => no(new Error('took longer than 20 s')), 20000).unref());
  try {
    await Promise.race([fn(), timer]);
    console.log('ok ' + name);
  } catch (e) {
    console.log('not ok ' + name + ': ' + String(e && e.stack || e).replaceAll('\n', ' | '));
  }
}

function want(cond, what) {
  if (!cond) throw new Error('wanted ' + what);
}

async function fails(promise, code) {
  try {
    await promise;
  } catch (e) {
    want(String(e.errorCode || e.name || e).includes(code) || String(e).includes(code), code + ', not ' + e);
    return;
  }
  throw new Error('wanted the error ' + code);
}

let conn;
await step('SOAP login', async () => {
  const c = new jsforce.Connection({ loginUrl: org.url });
  const info = await c.login(org.username, password);
  want(info.id.startsWith('005') && info.organizationId.startsWith('00D'), 'a user and an org');
  want((await c.query('SELECT Id FROM User LIMIT 1')).totalSize === 1, 'a working session');
});
await step('OAuth password', async () => {
  conn = new jsforce.Connection({ oauth2, version: '60.0' });
  const info = await conn.login(org.username, password);
  want(info.id.startsWith('005'), 'a user');
});
await step('wrong password is refused', () => fails(new jsforce.Connection({ oauth2 }).login(org.username, 'wrong'), 'invalid_grant'));
let cc;
await step('client credentials', async () => {
  cc = new jsforce.Connection({ instanceUrl: org.url, oauth2, version: '60.0' });
  await cc.authorize({ grant_type: 'client_credentials' });
  want((await cc.query('SELECT Id FROM User LIMIT 1')).done, 'a working session');
});
await step('userinfo', async () => {
  const info = await cc.request('/services/oauth2/userinfo');
  want(info.organization_id.startsWith('00D') && info.preferred_username === org.username && info.urls.rest, 'claims');
});
await step('authorization address with PKCE', async () => {
  const verifier = randomBytes(32).toString('base64url');
  const address = new jsforce.OAuth2({ ...oauth2, useVerifier: true }).getAuthorizationUrl({ scope: 'api refresh_token' });
  want(address.startsWith(org.url + '/services/oauth2/authorize') && address.includes('code_challenge='), 'a challenge');
  const challenge = createHash('sha256').update(verifier).digest('base64url');
  const form = new URLSearchParams({
    response_type: 'code', client_id: org.client_id, redirect_uri: oauth2.redirectUri, scope: 'api refresh_token',
    code_challenge: challenge, username: org.username, password: org.password, answer: 'allow',
  });
  const res = await fetch(org.url + '/services/oauth2/authorize', { method: 'POST', body: form, redirect: 'manual' });
  const code = new URL(res.headers.get('location')).searchParams.get('code');
  const c = new jsforce.Connection({ oauth2: new jsforce.OAuth2(oauth2) });
  await c.authorize(code, { code_verifier: verifier });
  want(c.refreshToken && c.accessToken, 'both tokens');
  const old = c.accessToken;
  c.accessToken = org.dead;
  want((await c.query('SELECT Id FROM User LIMIT 1')).done && c.accessToken !== old, 'a refreshed session');
});
await step('identity', async () => {
  const id = await conn.identity();
  want(id.username === org.username && id.organization_id.startsWith('00D'), 'the identity');
});
await step('query', async () => {
  const r = await conn.query("SELECT Id, Name, Owner.Name FROM Account WHERE Phone LIKE '%555%' ORDER BY Name LIMIT 5");
  want(r.records.length === 5 && r.records[0].attributes.type === 'Account' && r.records[0].Owner.Name, '5 accounts');
});
await step('queryMore', async () => {
  const first = await conn.query('SELECT Id FROM Contact', { headers: { 'Sforce-Query-Options': 'batchSize=200' } });
  want(!first.done && first.records.length === 200, 'a first page');
  const next = await conn.queryMore(first.nextRecordsUrl);
  want(next.records.length === 200, 'a second page');
});
await step('a wrong query is refused', () => fails(conn.query('SELECT Id FROM Bad'), 'INVALID_TYPE'));
await step('search', async () => {
  const r = await conn.search('FIND {Acme} IN NAME FIELDS RETURNING Account(Id, Name)');
  want(r.searchRecords.length > 0, 'records');
});
let id;
await step('create', async () => {
  const r = await conn.sobject('Account').create({ Name: 'By jsforce' });
  want(r.success, 'success');
  id = r.id;
});
let many;
await step('create several', async () => {
  many = await conn.sobject('Account').create([{ Name: 'A' }, { Name: 'B' }]);
  want(many.length === 2 && many.every((r) => r.success), 'two successes');
});
await step('retrieve', async () => want((await conn.sobject('Account').retrieve(id)).Name === 'By jsforce', 'the record'));
await step('retrieve several', async () => {
  const r = await conn.sobject('Account').retrieve(many.map((x) => x.id));
  want(r.length === 2 && r[0].Name === 'A', 'two records');
});
await step('a missing record is refused', () => fails(conn.sobject('Account').retrieve('001999000000001AAA'), 'NOT_FOUND'));
await step('update', async () => {
  want((await conn.sobject('Account').update({ Id: id, Name: 'Changed' })).success, 'success');
  want((await conn.sobject('Account').retrieve(id)).Name === 'Changed', 'the change');
});
await step('upsert', async () => {
  const key = 'k' + Date.now();
  const made = await conn.sobject('Account').upsert({ Ext__c: key, Name: 'E' }, 'Ext__c');
  want(made.success && made.created, 'a creation');
  const again = await conn.sobject('Account').upsert({ Ext__c: key, Name: 'F' }, 'Ext__c');
  want(again.success && !again.created && again.id === made.id, 'a change');
});
await step('delete', async () => want((await conn.sobject('Account').destroy(id)).success, 'success'));
await step('describe', async () => {
  const d = await conn.sobject('Account').describe();
  want(d.keyPrefix === '001' && d.fields.some((f) => f.name === 'Ext__c' && f.externalId), 'the fields');
});
await step('describe all', async () => want((await conn.describeGlobal()).sobjects.some((s) => s.name === 'Contact'), 'Contact'));
const before = new Date(Date.now() - 3600e3);
const after = new Date(Date.now() + 60e3);
await step('updated', async () => want((await conn.sobject('Account').updated(before, after)).ids.includes(many[0].id), 'the record'));
await step('deleted', async () => want((await conn.sobject('Account').deleted(before, after)).deletedRecords.some((r) => r.id === id), 'the record'));
await step('limits', async () => want((await conn.limits()).DailyApiRequests.Max > 0, 'a limit'));
await step('versions', async () => want((await conn.request('/services/data')).at(-1).version === '68.0', 'the newest'));
await step('bulk load', async () => {
  conn.bulk2.pollInterval = 50;
  const r = await conn.bulk2.loadAndWaitForResults({ object: 'Contact', operation: 'insert', input: [{ LastName: 'Bulk A', FirstName: 'One' }, { LastName: '', FirstName: 'Nobody' }, { LastName: 'Bulk "C"' }] });
  want(r.successfulResults.length === 2 && r.failedResults.length === 1 && r.unprocessedRecords.length === 0, 'two of three, not ' + JSON.stringify(r));
});
await step('bulk query', async () => {
  const stream = await conn.bulk2.query('SELECT Id, LastName FROM Contact');
  const records = await stream.toArray();
  want(records.length >= 1002 && records.some((r) => r.LastName === 'Bulk "C"'), 'all contacts, not ' + records.length);
});
await step('Bulk 1.0 load', async () => {
  conn.bulk.pollInterval = 50;
  const r = await conn.bulk.load('Contact', 'insert', [{ LastName: 'Classic A', DoNotCall: true }, { LastName: '' }, { LastName: 'Classic "C"\nD' }]);
  want(r.length === 3 && r[0].success && r[0].created && r[2].success && !r[1].success && r[1].errors[0].startsWith('REQUIRED_FIELD_MISSING'), 'two of three, not ' + JSON.stringify(r));
  const changed = await conn.bulk.load('Contact', 'update', [{ Id: r[0].id, FirstName: 'By' }]);
  want(changed[0].success && !changed[0].created && changed[0].id === r[0].id, 'a change, not ' + JSON.stringify(changed));
  await fails(conn.bulk.load('Contact', 'insert', [{ Nope: 'x' }]), 'Field name not found : Nope');
  await fails(conn.bulk.load('Nope', 'insert', [{ Name: 'x' }]), 'InvalidEntity');
  want((await conn.bulk.load('Contact', 'delete', [{ Id: r[2].id }]))[0].success, 'a deletion');
});
await step('Bulk 1.0 query', async () => {
  const records = await (await conn.bulk.query("SELECT Id, LastName, FirstName FROM Contact WHERE LastName LIKE 'Classic%'")).toArray();
  want(records.length === 1 && records[0].LastName === 'Classic A' && records[0].FirstName === 'By', 'the record, not ' + JSON.stringify(records));
  await fails((async () => (await conn.bulk.query('SELECT Foo FROM Contact')).toArray())(), 'INVALID_FIELD');
});
await step('Bulk 1.0 with a session that ended', async () => {
  conn.accessToken = org.dead; // jsforce signs in again on InvalidSessionId
  want((await conn.bulk.load('Contact', 'insert', [{ LastName: 'Again' }]))[0].success && conn.accessToken !== org.dead, 'a new session');
});
await step('streaming', async () => {
  const client = conn.streaming.createClient([new StreamingExtension.Replay('/data/AccountChangeEvent', -1)]);
  const event = new Promise((yes, no) => {
    const sub = client.subscribe('/data/AccountChangeEvent', yes);
    sub.then(() => conn.sobject('Account').create({ Name: 'Streamed' }).catch(no), no);
  });
  const got = await event;
  want(got.payload.Name === 'Streamed' && got.payload.ChangeEventHeader.changeType === 'CREATE', 'the event, not ' + JSON.stringify(got));
  client.disconnect();
});
await step('logout', async () => {
  await conn.logout();
});
process.exit(0);

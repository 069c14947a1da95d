// What else users of jsforce do, besides the 28 steps.
import { createHash, randomBytes } from 'node:crypto';
import { equal, fails, org, require, step, version, want } from '../lib.mjs';

const jsforce = require('jsforce');
const { StreamingExtension } = require('jsforce/lib/api/streaming');
const oauth2 = { loginUrl: org.url, clientId: org.client_id, clientSecret: org.client_secret, redirectUri: 'http://127.0.0.1/callback' };
version('jsforce');

const conn = new jsforce.Connection({ instanceUrl: org.url, oauth2, version: '60.0' });
await step('client credentials', () => conn.authorize({ grant_type: 'client_credentials' }));
const accounts = conn.sobject('Account');
const named = async (prefix) => (await accounts.find({ Name: { $like: prefix + '%' } }, 'Name').sort('Name')).map((r) => r.Name).join();

await step('web server flow with PKCE', async () => {
  const verifier = randomBytes(32).toString('base64url');
  const challenge = createHash('sha256').update(verifier).digest('base64url');
  const form = new URLSearchParams({
    response_type: 'code', client_id: org.client_id, redirect_uri: oauth2.redirectUri, scope: 'api refresh_token', state: 'mine',
    code_challenge: challenge, username: org.username, password: org.password, answer: 'allow',
  });
  const res = await fetch(org.url + '/services/oauth2/authorize', { method: 'POST', body: form, redirect: 'manual' });
  const back = new URL(res.headers.get('location'));
  equal(back.searchParams.get('state'), 'mine', 'the state');
  const c = new jsforce.Connection({ oauth2: new jsforce.OAuth2(oauth2) });
  await c.authorize(back.searchParams.get('code'), { code_verifier: verifier });
  want(c.refreshToken && c.accessToken, 'both tokens');
  const renewed = [];
  c.on('refresh', (token) => renewed.push(token));
  c.accessToken = org.dead;
  const users = await c.query('SELECT Username FROM User LIMIT 1');
  equal([users.done, renewed.length, renewed[0] === c.accessToken], [true, 1, true], 'a session renewed once');
});
await step('userinfo', async () => {
  const info = await conn.request('/services/oauth2/userinfo');
  equal([info.organization_id, info.preferred_username, info.active], ['00D000000000001EAA', org.username, true], 'the claims');
  want(info.urls.rest.includes('{version}'), 'addresses', info.urls);
});
await step('SOAP login with a wrong password is refused', async () => {
  await fails(new jsforce.Connection({ loginUrl: org.url }).login(org.username, 'wrong'), 'INVALID_LOGIN', 'INVALID_LOGIN: Invalid username, password, security token; or user locked out.');
});
await step('find by conditions', async () => {
  const hour = jsforce.SfDate.toDateTimeLiteral(new Date(Date.now() + 3600e3));
  const found = await conn.sobject('Contact')
    .find({ $or: [{ LastName: { $in: ["O'Hara", 'Smith'] } }, { LastName: { $like: 'García%' } }], CreatedDate: { $lt: hour }, AccountId: { $ne: null } }, 'Id, LastName, Account.Name')
    .sort({ LastName: -1 }).limit(20);
  want(found.length > 1 && found.every((r) => /^(O'Hara|Smith|García)/.test(r.LastName) && r.Account.Name), 'contacts', found);
});
await step('find with children', async () => {
  const [bank] = await accounts.find({ Name: 'Acme Bank' }, 'Id, Name').include('Contacts').select('LastName').orderby('LastName').limit(3).end();
  equal([bank.Name, bank.Contacts.totalSize, bank.Contacts.records.length, bank.Contacts.records[0].attributes.type], ['Acme Bank', 3, 3, 'Contact'], 'the account');
});
await step('count', async () => equal(await accounts.count({ Name: { $like: 'Acme%' } }), 10, 'accounts'));
await step('fetch all pages', async () => {
  const seen = new Set();
  await new Promise((yes, no) => {
    conn.query('SELECT Id, (SELECT Id FROM Cases) FROM Contact').on('record', (r) => seen.add(r.Id)).on('end', yes).on('error', no).run({ autoFetch: true, maxFetch: 5000 });
  });
  equal(seen.size, 1000, 'contacts');
});
await step('find with deleted records', async () => {
  const { id } = await accounts.create({ Name: 'Binned' });
  await accounts.destroy(id);
  const all = await conn.query("SELECT Id, IsDeleted FROM Account WHERE Name = 'Binned'", { scanAll: true });
  equal(all.records.map((r) => [r.Id, r.IsDeleted]), [[id, true]], 'it');
});
await step('collections', async () => {
  const made = await accounts.create([{ Name: 'Many A' }, { Name: 'Many B' }, { Phone: '1' }]);
  equal(made.map((r) => r.success), [true, true, false], 'the outcomes');
  equal([made[2].errors[0].statusCode, made[2].errors[0].fields], ['REQUIRED_FIELD_MISSING', ['Name']], 'the error');
  await accounts.update([{ Id: made[0].id, Name: 'Many C' }, { Id: made[1].id, Name: 'Many D' }]);
  equal(await named('Many'), 'Many C,Many D', 'the changes');
  const merged = await accounts.upsert([{ Ext__c: 'm1', Name: 'Many E' }, { Ext__c: 'm2', Name: 'Many F' }], 'Ext__c');
  const again = await accounts.upsert([{ Ext__c: 'm1', Name: 'Many G' }, { Ext__c: 'm3', Name: 'Many H' }], 'Ext__c');
  equal([merged, again].map((list) => list.map((r) => r.created)), [[true, true], [false, true]], 'what was created');
  await accounts.destroy(again.map((r) => r.id));
  equal(await named('Many'), 'Many C,Many D,Many F', 'what is left');
});
await step('all or none', async () => {
  const r = await accounts.create([{ Name: 'None A' }, { Phone: '1' }], { allOrNone: true });
  equal(r.map((x) => x.errors[0].statusCode), ['ALL_OR_NONE_OPERATION_ROLLED_BACK', 'REQUIRED_FIELD_MISSING'], 'the errors');
  equal(await named('None'), '', 'no record');
});
await step('composite', async () => {
  const base = '/services/data/v60.0/sobjects/';
  const { compositeResponse: parts } = await conn.requestPost('/composite', { allOrNone: true, compositeRequest: [
    { method: 'POST', url: base + 'Account', referenceId: 'a', body: { Name: 'Whole' } },
    { method: 'POST', url: base + 'Contact', referenceId: 'c', body: { LastName: 'Part', AccountId: '@{a.id}' } },
    { method: 'GET', url: base + 'Contact/@{c.id}?fields=LastName,AccountId', referenceId: 'r' },
  ] });
  equal(parts.map((p) => [p.referenceId, p.httpStatusCode]), [['a', 201], ['c', 201], ['r', 200]], 'the answers');
  equal([parts[2].body.LastName, parts[2].body.AccountId], ['Part', parts[0].body.id], 'the record');
});
await step('change and delete what a query finds', async () => {
  await accounts.create(Array.from({ length: 5 }, (_, i) => ({ Name: 'Found ' + i })));
  const changed = await accounts.find({ Name: { $like: 'Found%' } }).update({ Name: 'Found ${Name}' });
  equal([changed.length, (await named('Found Found')).split(',').length], [5, 5], 'five changes');
  const gone = await accounts.find({ Name: { $like: 'Found%' } }).destroy();
  equal([gone.length, await named('Found')], [5, ''], 'none left');
});
await step('Bulk API 1.0', async () => {
  conn.bulk.pollInterval = 50;
  const made = await conn.bulk.load('Account', 'insert', [{ Name: 'Old A', NumberOfEmployees: 5 }, { Phone: '1' }, { Name: 'Old "B"' }]);
  equal(made.map((r) => [r.success, r.errors]), [[true, []], [false, ['REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --']], [true, []]], 'the outcomes in order');
  const stream = await conn.bulk.query("SELECT Id, Name, NumberOfEmployees, Owner.Name FROM Account WHERE Name LIKE 'Old%' ORDER BY Name");
  const records = await stream.toArray();
  equal(records.map((r) => [r.Name, r.NumberOfEmployees, r['Owner.Name']]).toSorted(), [['Old "B"', '', 'Ada Admin'], ['Old A', '5', 'Ada Admin']], 'the records');
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
  const records = await (await conn.bulk.query("SELECT Id, LastName, FirstName FROM Contact WHERE LastName LIKE 'Classic%' ORDER BY LastName")).toArray();
  want(records.length === 1 && records[0].LastName === 'Classic A' && records[0].FirstName === 'By', 'the record, not ' + JSON.stringify(records));
  await fails((async () => (await conn.bulk.query('SELECT Foo FROM Contact')).toArray())(), 'INVALID_FIELD');
});
await step('Bulk 1.0 with a session that ended', async () => {
  const c = new jsforce.Connection({ loginUrl: org.url, version: '60.0' });
  await c.login(org.username, org.password + org.security_token);
  c.accessToken = org.dead; // jsforce signs in again on InvalidSessionId
  c.bulk.pollInterval = 50;
  want((await c.bulk.load('Contact', 'insert', [{ LastName: 'Again' }]))[0].success && c.accessToken !== org.dead, 'a new session');
});
await step('bulk upsert and delete', async () => {
  conn.bulk2.pollInterval = 50;
  const up = await conn.bulk2.loadAndWaitForResults({ object: 'Account', operation: 'upsert', externalIdFieldName: 'Ext__c', input: [{ Ext__c: 'm2', Name: 'New A' }, { Ext__c: 'm9', Name: 'New B' }] });
  equal(up.successfulResults.map((r) => r.sf__Created), ['false', 'true'], 'a change and a creation');
  const gone = await conn.bulk2.loadAndWaitForResults({ object: 'Account', operation: 'delete', input: up.successfulResults.map((r) => ({ Id: r.sf__Id })) });
  equal([gone.successfulResults.length, await named('New')], [2, ''], 'none left');
});
await step('bulk job aborted', async () => {
  const job = conn.bulk2.createJob({ object: 'Account', operation: 'insert' });
  await job.open();
  await job.abort();
  equal((await job.check()).state, 'Aborted', 'the state');
  await job.delete();
});
await step('replay of kept events', async () => {
  const { id } = await conn.sobject('Contact').create({ LastName: 'Kept' });
  const client = conn.streaming.createClient([new StreamingExtension.Replay('/data/ContactChangeEvent', -2)]);
  await new Promise((yes, no) => {
    client.subscribe('/data/ContactChangeEvent', (m) => { if (m.payload.ChangeEventHeader.recordIds[0] === id) yes(); }).then(undefined, no);
  });
  client.disconnect();
});
await step('push topic', async () => {
  await conn.sobject('PushTopic').create({ Name: 'Calls', Query: "SELECT Id, Name FROM Account WHERE Name LIKE 'Pushed%'", ApiVersion: 60.0, NotifyForFields: 'Referenced' });
  const client = conn.streaming.createClient([]);
  const message = new Promise((yes, no) => {
    const sub = client.subscribe('/topic/Calls', yes);
    sub.then(() => accounts.create([{ Name: 'Other' }, { Name: 'Pushed' }]).catch(no), no);
  });
  const got = await message;
  equal([got.event.type, got.sobject.Name], ['created', 'Pushed'], 'the event');
  client.disconnect();
});
await step('streaming with a wrong session is refused', async () => {
  const c = new jsforce.Connection({ instanceUrl: org.url, accessToken: org.dead, version: '60.0' });
  const failed = await new Promise((yes) => {
    const client = c.streaming.createClient([new StreamingExtension.AuthFailure((e) => { client.disconnect(); yes(e); })]);
    client.subscribe('/data/AccountChangeEvent', () => {});
  });
  equal([failed.error, failed.ext.sfdc.failureReason], ['403::Handshake denied', '401::Authentication invalid'], 'the error');
});
process.exit(0);

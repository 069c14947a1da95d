// The 28 steps a user of jsforce takes: 25 that succeed and 3 that the org must refuse.
import { fails, equal, org, require, step, version, want } from '../lib.mjs';

const jsforce = require('jsforce');
const { StreamingExtension } = require('jsforce/lib/api/streaming');
const oauth2 = { loginUrl: org.url, clientId: org.client_id, clientSecret: org.client_secret, redirectUri: 'http://127.0.0.1/callback' };
const password = org.password + org.security_token;
const orgID = '00D000000000001EAA';
const idShape = /^[a-zA-Z0-9]{15}[A-Z0-5]{3}$/;
version('jsforce');

let conn;
await step('SOAP login', async () => {
  const c = new jsforce.Connection({ loginUrl: org.url });
  const info = await c.login(org.username, password);
  want(info.id.startsWith('005') && idShape.test(info.id) && info.organizationId === orgID, 'a user and the org', info);
  equal(c.instanceUrl, org.url, 'the instance');
  const users = await c.query("SELECT Username FROM User WHERE Id = '" + info.id + "'");
  equal(users.records[0].Username, org.username, 'a session of');
});
await step('OAuth password', async () => {
  conn = new jsforce.Connection({ oauth2, version: '60.0' });
  const info = await conn.login(org.username, password);
  want(idShape.test(info.id) && info.organizationId === orgID && /^00D\w{12}![\w.]+$/.test(conn.accessToken), 'a session', info);
});
await step('wrong password is refused', () => fails(new jsforce.Connection({ oauth2 }).login(org.username, 'wrong'), 'invalid_grant', 'authentication failure'));
await step('client credentials', async () => {
  const cc = new jsforce.Connection({ instanceUrl: org.url, oauth2, version: '60.0' });
  const info = await cc.authorize({ grant_type: 'client_credentials' });
  equal(info.id, conn.userInfo.id, 'the execution user');
  want(!cc.refreshToken && cc.accessToken !== conn.accessToken, 'a session of its own and no refresh token');
  equal((await cc.query('SELECT COUNT() FROM User')).done, true, 'a working session');
});
await step('authorization address with PKCE', async () => {
  const flow = new jsforce.OAuth2({ ...oauth2, useVerifier: true });
  const address = new URL(flow.getAuthorizationUrl({ scope: 'api refresh_token', state: 'a b' }));
  equal(address.origin + address.pathname, org.url + '/services/oauth2/authorize', 'the address');
  want(address.searchParams.get('code_challenge').length === 43, 'a challenge', address.href);
  const page = await fetch(address);
  const html = await page.text();
  want(page.ok && html.includes('type="password"') && html.includes(address.searchParams.get('code_challenge')), 'a page to sign in on', html.slice(0, 200));
});
await step('identity', async () => {
  const id = await conn.identity();
  equal([id.username, id.organization_id, id.user_id, id.id], [org.username, orgID, conn.userInfo.id, org.url + '/id/' + orgID + '/' + conn.userInfo.id], 'the identity');
});
await step('query', async () => {
  const r = await conn.query("SELECT Id, Name, Owner.Name FROM Account WHERE Phone LIKE '%555%' ORDER BY Name LIMIT 5");
  equal([r.totalSize, r.done, r.records.length], [5, true, 5], 'five accounts');
  const [first] = r.records;
  equal(first.attributes, { type: 'Account', url: '/services/data/v60.0/sobjects/Account/' + first.Id }, 'the attributes');
  equal(Object.keys(first), ['attributes', 'Id', 'Name', 'Owner'], 'the fields');
  equal([first.Owner.attributes.type, first.Owner.Name], ['User', 'Ada Admin'], 'the owner');
  const names = r.records.map((x) => x.Name.toLowerCase());
  equal(names, names.toSorted(), 'an order');
});
await step('query of several pages', async () => {
  const first = await conn.query('SELECT Id FROM Contact', { headers: { 'Sforce-Query-Options': 'batchSize=200' } });
  equal([first.done, first.records.length, first.totalSize], [false, 200, 1000], 'a first page');
  const seen = new Set(first.records.map((r) => r.Id));
  for (let page = first; !page.done;) {
    page = await conn.queryMore(page.nextRecordsUrl);
    page.records.forEach((r) => seen.add(r.Id));
  }
  equal(seen.size, 1000, 'each record once');
});
await step('a wrong query is refused', () => fails(conn.query('SELECT Id FROM Bad'), 'INVALID_TYPE', 'ERROR at Row:1:Column:16'));
await step('search', async () => {
  const contact = (await conn.query('SELECT Id, Phone FROM Contact WHERE Phone != null ORDER BY Id LIMIT 1')).records[0];
  const digits = contact.Phone.replace(/\D/g, '').slice(-7);
  const r = await conn.search('FIND {' + digits + '} IN PHONE FIELDS RETURNING Contact(Id, Phone)');
  const hit = r.searchRecords.find((x) => x.Id === contact.Id);
  equal([hit?.attributes.type, hit?.Phone], ['Contact', contact.Phone], 'the contact by its number');
});
let id;
await step('create', async () => {
  const r = await conn.sobject('Account').create({ Name: 'By jsforce' });
  want(r.success && r.id.startsWith('001') && idShape.test(r.id) && r.errors.length === 0, 'success', r);
  id = r.id;
});
let many;
await step('create several', async () => {
  many = await conn.sobject('Account').create([{ Name: 'A' }, { Name: 'B' }]);
  want(many.length === 2 && many.every((r) => r.success && idShape.test(r.id)) && many[0].id !== many[1].id, 'two successes', many);
});
await step('retrieve', async () => {
  const r = await conn.sobject('Account').retrieve(id);
  equal([r.Id, r.Name, r.IsDeleted, r.Phone, r.OwnerId], [id, 'By jsforce', false, null, conn.userInfo.id], 'the record');
  want(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$/.test(r.CreatedDate), 'its date', r.CreatedDate);
});
await step('retrieve several', async () => {
  const r = await conn.sobject('Account').retrieve(many.map((x) => x.id));
  equal(r.map((x) => [x.Id, x.Name]), [[many[0].id, 'A'], [many[1].id, 'B']], 'both records in the order asked');
});
await step('a missing record is refused', () => fails(conn.sobject('Account').retrieve('001999000000001AAA'), 'NOT_FOUND', 'The requested resource does not exist'));
await step('update', async () => {
  equal(await conn.sobject('Account').update({ Id: id, Name: 'Changed', Phone: '+351 210 000 000' }), { id, success: true, errors: [] }, 'success');
  const r = await conn.sobject('Account').retrieve(id);
  equal([r.Name, r.Phone], ['Changed', '+351 210 000 000'], 'the change');
});
await step('upsert', async () => {
  const made = await conn.sobject('Account').upsert({ Ext__c: 'k1', Name: 'E' }, 'Ext__c');
  want(made.success && made.created && idShape.test(made.id), 'a creation', made);
  equal(await conn.sobject('Account').upsert({ Ext__c: 'k1', Name: 'F' }, 'Ext__c'), { ...made, created: false }, 'a change');
  const found = await conn.sobject('Account').find({ Ext__c: 'k1' }, ['Id', 'Name']);
  equal(found.map((x) => [x.Id, x.Name]), [[made.id, 'F']], 'one record');
});
await step('delete', async () => {
  equal(await conn.sobject('Account').destroy(id), { id, success: true, errors: [] }, 'success');
  equal((await conn.query("SELECT Id FROM Account WHERE Id = '" + id + "'")).records, [], 'no record left');
  equal((await conn.query("SELECT IsDeleted FROM Account WHERE Id = '" + id + "'", { scanAll: true })).records[0].IsDeleted, true, 'it in the bin');
});
await step('describe', async () => {
  const d = await conn.sobject('Account').describe();
  equal([d.name, d.keyPrefix, d.createable, d.queryable], ['Account', '001', true, true], 'the object');
  const field = Object.fromEntries(d.fields.map((f) => [f.name, f]));
  equal([field.Name.type, field.Name.nillable, field.Name.nameField, field.OwnerId.referenceTo, field.Ext__c.externalId, field.Ext__c.custom],
    ['string', false, true, ['User'], true, true], 'its fields');
  want(d.childRelationships.some((r) => r.childSObject === 'Contact' && r.relationshipName === 'Contacts' && r.field === 'AccountId'), 'its contacts');
});
await step('describe all', async () => {
  const all = await conn.describeGlobal();
  const byName = Object.fromEntries(all.sobjects.map((s) => [s.name, s.keyPrefix]));
  equal([byName.Contact, byName.Case, byName.Task, byName.VoiceCall, byName.User], ['003', '500', '00T', '0LQ', '005'], 'the key prefixes');
});
const before = new Date(Date.now() - 3600e3);
const after = new Date(Date.now() + 60e3);
await step('updated', async () => {
  const r = await conn.sobject('Account').updated(before, after);
  want(many.every((m) => r.ids.includes(m.id)) && !r.ids.includes(id), 'the records that are there, and not the one that was deleted', r);
  want(!Number.isNaN(Date.parse(r.latestDateCovered)), 'the date covered', r);
});
await step('deleted', async () => {
  const r = await conn.sobject('Account').deleted(before, after);
  equal(r.deletedRecords.map((x) => x.id), [id], 'the record');
  want(Date.parse(r.deletedRecords[0].deletedDate) > before && Date.parse(r.earliestDateAvailable) < Date.now(), 'the dates', r);
});
await step('limits', async () => {
  const { DailyApiRequests: daily } = await conn.limits();
  want(daily.Max > 0 && daily.Remaining < daily.Max, 'a limit that shrinks', daily);
  equal(conn.limitInfo.apiUsage.limit, daily.Max, 'the same limit in the header');
});
await step('versions', async () => {
  const all = await conn.request('/services/data');
  equal(all.at(-1), { label: "Winter '27", url: '/services/data/v68.0', version: '68.0' }, 'the newest');
  equal(all[0].version, '31.0', 'the oldest');
});
await step('bulk load', async () => {
  conn.bulk2.pollInterval = 50;
  const r = await conn.bulk2.loadAndWaitForResults({ object: 'Contact', operation: 'insert', input: [{ LastName: 'Bulk A', FirstName: 'One' }, { LastName: '', FirstName: 'Nobody' }, { LastName: 'Bulk "C"' }] });
  equal(r.successfulResults.map((x) => [x.LastName, x.sf__Created, idShape.test(x.sf__Id)]), [['Bulk A', 'true', true], ['Bulk "C"', 'true', true]], 'two successes');
  equal(r.failedResults.map((x) => [x.FirstName, x.sf__Error]), [['Nobody', 'REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --']], 'a failure');
  equal(r.unprocessedRecords, [], 'none left');
  equal((await conn.query("SELECT FirstName FROM Contact WHERE LastName = 'Bulk A'")).records[0].FirstName, 'One', 'the record');
});
await step('bulk query', async () => {
  const stream = await conn.bulk2.query('SELECT Id, LastName FROM Contact');
  const records = await stream.toArray();
  equal([records.length, records.filter((r) => r.LastName === 'Bulk "C"').length], [1002, 1], 'all contacts');
});
await step('streaming', async () => {
  const client = conn.streaming.createClient([new StreamingExtension.Replay('/data/AccountChangeEvent', -1)]);
  let made;
  const got = await new Promise((yes, no) => {
    const sub = client.subscribe('/data/AccountChangeEvent', yes);
    sub.then(() => conn.sobject('Account').create({ Name: 'Streamed' }).then((r) => { made = r; }), no);
  });
  const { ChangeEventHeader: header, Name } = got.payload;
  want(made === undefined || header.recordIds[0] === made.id, 'the record', got);
  equal([Name, header.entityName, header.changeType, header.commitUser], ['Streamed', 'Account', 'CREATE', conn.userInfo.id], 'the event');
  want(got.event.replayId > 0, 'a replay id', got);
  client.disconnect();
});
await step('logout', async () => {
  const { accessToken } = conn;
  await conn.logout();
  const late = new jsforce.Connection({ instanceUrl: org.url, accessToken, version: '60.0' });
  await fails(late.query('SELECT Id FROM User LIMIT 1'), 'INVALID_SESSION_ID', 'Session expired or invalid');
});
process.exit(0);

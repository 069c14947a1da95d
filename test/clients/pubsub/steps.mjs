// What a user of the Node client for the Pub/Sub API does, against the org whose address and credentials are in ORG.
import { org, require, show, step, version, want } from '../lib.mjs';

const mod = require('salesforce-pubsub-api-client');
const PubSubApiClient = mod.default || mod;
version('salesforce-pubsub-api-client');
const quiet = { debug() {}, info() {}, warn() {}, error(...a) { console.error(...a); }, trace() {} };

const token = await (await fetch(org.url + '/services/oauth2/token', {
  method: 'POST', body: new URLSearchParams({ grant_type: 'client_credentials', client_id: org.client_id, client_secret: org.client_secret }),
})).json();
async function rest(method, path, body) {
  const res = await fetch(org.url + '/services/data/v60.0' + path, {
    method, headers: { Authorization: 'Bearer ' + token.access_token, 'Content-Type': 'application/json' }, body: body && JSON.stringify(body),
  });
  want(res.ok, method + ' ' + path + ' to succeed');
  return res.status === 204 ? null : res.json();
}

let client;
await step('connect', async () => {
  client = new PubSubApiClient({
    authType: 'oauth-client-credentials', loginUrl: org.url, clientId: org.client_id, clientSecret: org.client_secret,
    pubSubEndpoint: org.pubsub, rejectUnauthorizedSsl: false,
  }, quiet);
  await client.connect();
});
let first;
await step('change events decoded', async () => {
  const events = [];
  let failed;
  const done = new Promise((yes, no) => {
    failed = no;
    client.subscribeFromEarliestEvent('/data/ContactChangeEvent', (sub, type, data) => {
      if (type === 'event') {
        events.push(data);
        if (events.length === 3) yes();
      } else if (type === 'error') no(data);
    }, 3);
  });
  (async () => {
    const { id } = await rest('POST', '/sobjects/Contact', { LastName: 'Silva', MailingCity: 'Porto', DoNotCall: true, Title: 'CEO' });
    await rest('PATCH', '/sobjects/Contact/' + id, { LastName: 'Souza', MailingCity: null, Title: null, Phone: '+351 1' });
    await rest('DELETE', '/sobjects/Contact/' + id);
  })().catch(failed);
  await done;
  // The client hands on what it has decoded, in no order while it waits for a schema.
  events.sort((a, b) => Number(a.replayId) - Number(b.replayId));
  first = events[0];
  const [made, changed, gone] = events.map((e) => e.payload);
  want(made.ChangeEventHeader.changeType === 'CREATE' && made.ChangeEventHeader.entityName === 'Contact', 'a creation');
  want(JSON.stringify(made.Name).includes('Silva') && JSON.stringify(made.MailingAddress).includes('Porto') && made.DoNotCall === true, 'its values, not ' + show(made));
  want(changed.ChangeEventHeader.changeType === 'UPDATE', 'a change', changed);
  const fields = changed.ChangeEventHeader.changedFields.slice().sort().join();
  want(fields === 'LastModifiedDate,MailingAddress.City,Name.LastName,Phone,Title', 'the changed fields, not ' + fields);
  want(changed.ChangeEventHeader.nulledFields.join() === 'Title,MailingAddress.City', 'the cleared fields, not ' + show(changed.ChangeEventHeader));
  want(changed.Phone === '+351 1' && gone.ChangeEventHeader.changeType === 'DELETE', 'the value and a deletion');
});
await step('replay', async () => {
  const other = new PubSubApiClient({
    authType: 'oauth-client-credentials', loginUrl: org.url, clientId: org.client_id, clientSecret: org.client_secret,
    pubSubEndpoint: org.pubsub, rejectUnauthorizedSsl: false,
  }, quiet);
  await other.connect();
  const event = await new Promise((yes, no) => {
    other.subscribeFromReplayId('/data/ContactChangeEvent', (sub, type, data) => {
      if (type === 'event') yes(data);
      else if (type === 'error') no(data);
    }, 1, first.replayId);
  });
  want(event.payload.ChangeEventHeader.changeType === 'UPDATE', 'the event after the first, not ' + show(event));
  other.close();
});
await step('publish', async () => {
  const got = new Promise((yes, no) => {
    client.subscribeFromEarliestEvent('/event/Call_Notice__e', (sub, type, data) => {
      if (type === 'event') yes(data);
      else if (type === 'error') no(data);
    }, 1);
  });
  const res = await client.publish('/event/Call_Notice__e', {
    CreatedDate: Date.now(), CreatedById: '005000000000001AAA', Message__c: { string: 'ring' }, Phone__c: null, Seconds__c: { double: 2.5 }, At__c: null, Urgent__c: { boolean: true },
  });
  want(res.replayId > 0, 'a replay id');
  const event = await got;
  want(event.payload.Message__c === 'ring' && event.payload.Seconds__c === 2.5 && event.payload.Urgent__c === true, 'the event, not ' + show(event));
});
client.close();
process.exit(0);

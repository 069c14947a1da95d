// What users of the CometD project's own client and of faye do, against the org whose address and credentials are in ORG.
import { createRequire } from 'node:module';

const require = createRequire(process.env.CLIENT_DIR + '/');
const { CometD } = require('cometd');
const faye = require('faye');
require('cometd-nodejs-client').adapt();
const org = JSON.parse(process.env.ORG);
const version = (name) => name + ' ' + require(process.env.CLIENT_DIR + '/node_modules/' + name + '/package.json').version;
console.log('version ' + version('cometd') + ' ' + version('faye') + ' node ' + process.version);

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

async function signIn() {
  const res = await fetch(org.url + '/services/oauth2/token', {
    method: 'POST', body: new URLSearchParams({ grant_type: 'client_credentials', client_id: org.client_id, client_secret: org.client_secret }),
  });
  return (await res.json()).access_token;
}
const token = await signIn();
async function rest(method, path, body) {
  const res = await fetch(org.url + '/services/data/v60.0' + path, {
    method, headers: { Authorization: 'Bearer ' + token, 'Content-Type': 'application/json' }, body: body && JSON.stringify(body),
  });
  want(res.ok, method + ' ' + path + ' to succeed');
  return res.status === 204 ? null : res.json();
}

// Events in the order they come, to wait for.
function inbox() {
  const list = [], waiters = [];
  return {
    put(m) { list.push(m); waiters.splice(0).forEach((go) => go()); },
    async take(n) {
      while (list.length < n) await new Promise((go) => waiters.push(go));
      return list.splice(0, n);
    },
  };
}

function cometd(auth) {
  const c = new CometD();
  c.configure({ url: org.url + '/cometd/60.0', requestHeaders: { Authorization: 'OAuth ' + auth }, appendMessageTypeToURL: false, logLevel: 'error' });
  return c;
}
const handshake = (c) => new Promise((go) => c.handshake(go));
const subscribe = (c, channel, box, replay) => new Promise((go) => {
  const sub = c.subscribe(channel, (m) => box.put(m), replay === undefined ? {} : { ext: { replay: { [channel]: replay } } }, (answer) => go({ answer, sub }));
});

const topic = '/data/AccountChangeEvent';
const c = cometd(token), box = inbox();
let first, sub;
await step('cometd: handshake', async () => {
  c.unregisterTransport('websocket');
  const h = await handshake(c);
  want(h.successful && h.ext.replay === true && h.ext['payload.format'] === true, 'a handshake, not ' + JSON.stringify(h));
});
await step('cometd: change events', async () => {
  const s = await subscribe(c, topic, box);
  sub = s.sub;
  want(s.answer.successful, 'a subscription, not ' + JSON.stringify(s.answer));
  await rest('POST', '/sobjects/Account', { Name: 'One' });
  await rest('POST', '/sobjects/Account', { Name: 'Two' });
  const got = await box.take(2);
  first = got[0].data.event.replayId;
  want(got.map((m) => m.data.payload.Name).join() === 'One,Two' && got[0].data.payload.ChangeEventHeader.changeType === 'CREATE', 'both accounts');
});
await step('cometd: refused subscriptions', async () => {
  for (const [channel, replay, text] of [
    ['/topic/None', undefined, '400::The channel you requested to subscribe to does not exist {/topic/None}'],
    ['/u/None', undefined, '404::Unknown channel'],
    ['/data/ContactChangeEvent', 99999, '400::The replayId {99999} you provided was invalid.'],
  ]) {
    const { answer } = await subscribe(c, channel, box, replay);
    want(!answer.successful && answer.error.startsWith(text), text + ', not ' + answer.error);
  }
});
await step('cometd: replay while a connect waits', async () => {
  await new Promise((go) => c.unsubscribe(sub, {}, go));
  const { answer } = await subscribe(c, topic, box, first);
  want(answer.successful, 'a subscription');
  const [again] = await box.take(1);
  want(again.data.payload.Name === 'Two' && again.data.event.replayId > first, 'the second account again');
});
await step('cometd: a batch of subscriptions', async () => {
  const contacts = inbox();
  c.batch(() => {
    c.subscribe('/data/ContactChangeEvent', (m) => contacts.put(m));
    c.subscribe('/data/CaseChangeEvent', (m) => contacts.put(m));
  });
  await new Promise((go) => c.subscribe('/event/Call_Notice__e', (m) => contacts.put(m), {}, go));
  await rest('POST', '/sobjects/Contact', { LastName: 'Silva' });
  await rest('POST', '/sobjects/Case', { Subject: 'Ring' });
  await rest('POST', '/sobjects/Call_Notice__e', { Message__c: 'ring' });
  const got = (await contacts.take(3)).map((m) => m.channel).join();
  want(got === '/data/ContactChangeEvent,/data/CaseChangeEvent,/event/Call_Notice__e', 'one of each, not ' + got);
});
await step('cometd: disconnect', async () => {
  await new Promise((go) => c.disconnect(go));
  want(c.isDisconnected(), 'a client that is disconnected');
});
await step('cometd: WebSocket refused, long polling used', async () => {
  const d = cometd(token);
  const answers = [];
  await new Promise((go) => d.handshake((h) => { answers.push(h.successful); if (h.successful) go(); }));
  want(d.getTransport().type === 'long-polling', 'long polling, not ' + d.getTransport().type);
  await new Promise((go) => d.disconnect(go));
});
await step('cometd: without a session', async () => {
  const d = cometd(org.dead);
  d.unregisterTransport('websocket');
  const h = await handshake(d);
  want(!h.successful && h.error === '403::Handshake denied' && h.ext.sfdc.failureReason === '401::Authentication invalid' && h.advice.reconnect === 'none', 'to be denied, not ' + JSON.stringify(h));
  d.disconnect();
});
await step('cometd: the session ends', async () => {
  const other = await signIn();
  const d = cometd(other);
  d.unregisterTransport('websocket');
  want((await handshake(d)).successful, 'a handshake');
  const failed = new Promise((go) => d.addListener('/meta/connect', (m) => { if (!m.successful) go(m); }));
  await subscribe(d, topic, inbox());
  await fetch(org.url + '/services/oauth2/revoke', { method: 'POST', body: new URLSearchParams({ token: other }) });
  await rest('POST', '/sobjects/Account', { Name: 'Three' });
  const m = await failed;
  want(m.error === '401::Authentication invalid' && m.advice.reconnect === 'none', 'to be told so, not ' + JSON.stringify(m));
  d.disconnect();
});

const f = new faye.Client(org.url + '/cometd/60.0'), fayeBox = inbox();
f.setHeader('Authorization', 'Bearer ' + token);
f.addExtension({
  outgoing(m, go) {
    if (m.channel === '/meta/subscribe') m.ext = { replay: { [m.subscription]: -2 } };
    go(m);
  },
});
await step('faye: all that is kept', async () => {
  await f.subscribe(topic, (m) => fayeBox.put(m));
  const got = await fayeBox.take(3);
  want(got.map((m) => m.payload.Name).join() === 'One,Two,Three', 'three accounts');
});
await step('faye: goes on when streams are cut', async () => {
  await fetch(org.url + '/sandbox/api/streams/cut', { method: 'POST' });
  const made = rest('POST', '/sobjects/Account', { Name: 'Four' });
  // It shakes hands anew and asks for all again: what it had comes twice, which is its choice.
  for (let name = ''; name !== 'Four';) [{ payload: { Name: name } }] = await fayeBox.take(1);
  await made;
});
await step('faye: refused', async () => {
  const why = await f.subscribe('/data/Nothing', () => {}).then(() => 'taken', (e) => e.message);
  want(why.includes('does not exist {/data/Nothing}'), 'a refusal, not ' + why);
});
f.disconnect();
process.exit(0);

// What the scripts of the clients share: a step prints one line, `ok name` or `not ok name: why`.
import { createRequire } from 'node:module';

/** require loads what is installed beside the client. */
export const require = createRequire(process.env.CLIENT_DIR + '/');

/** org is the address and the credentials of the org. */
export const org = JSON.parse(process.env.ORG);

const patience = 60000; // milliseconds a step may take

/** version prints what is being tried. The package need not export its package.json. */
export function version(name) {
  const { version: v } = require(process.env.CLIENT_DIR + '/node_modules/' + name + '/package.json');
  console.log('version ' + name + ' ' + v + ' node ' + process.version);
}

export async function step(name, fn) {
  let timer;
  const late = new Promise((_, no) => {
    timer = setTimeout(() => no(new Error('took longer than ' + patience / 1000 + ' s')), patience);
  });
  try {
    await Promise.race([fn(), late]);
    console.log('ok ' + name);
  } catch (e) {
    const cause = e && e.cause ? ' cause: ' + e.cause : '';
    console.log('not ok ' + name + ': ' + String((e && e.stack) || e).replaceAll('\n', ' | ') + cause);
  } finally {
    clearTimeout(timer);
  }
}

/** show writes a value for a message, BigInts too. */
export function show(v) {
  return JSON.stringify(v, (_, x) => (typeof x === 'bigint' ? String(x) : x));
}

/** want fails the step unless cond holds; got is what there was instead. */
export function want(cond, what, got) {
  if (!cond) throw new Error('wanted ' + what + (got === undefined ? '' : ', not ' + show(got)));
}

/** equal fails the step unless both are the same as JSON. */
export function equal(got, wanted, what) {
  want(show(got) === show(wanted), what + ' ' + show(wanted), got);
}

/** fails wants an error of the code, or one that has only a message with the code in it, whose message contains text. */
export async function fails(promise, code, text = '') {
  let got;
  try {
    got = await promise;
  } catch (e) {
    want([e.errorCode, e.code, e.name].includes(code) || String(e.message).includes(code), 'the error ' + code, { errorCode: e.errorCode, name: e.name, message: e.message });
    want(String(e.message).includes(text), 'the message ' + text, e.message);
    return;
  }
  throw new Error('wanted the error ' + code + ', not ' + show(got));
}

// The browser of the Salesforce CLI: signs in on the page at the address of its argument as the user of ORG, allows the
// access, and follows the way back to the CLI.
const org = JSON.parse(process.env.ORG);
const page = await (await fetch(process.argv[2])).text();
const form = new URLSearchParams({ username: org.username, password: org.password, answer: 'allow' });
for (const [input] of page.matchAll(/<input[^>]*type="hidden"[^>]*>/g)) {
  const attribute = (name) => (input.match(new RegExp(` ${name}="([^"]*)"`)) || [])[1] || '';
  form.set(attribute('name'), attribute('value').replaceAll('&#43;', '+').replaceAll('&amp;', '&'));
}
const res = await fetch(new URL('/services/oauth2/authorize', process.argv[2]), { method: 'POST', body: form, redirect: 'manual' });
const back = res.headers.get('location');
if (!back) throw new Error('no way back: ' + res.status + ' ' + (await res.text()).slice(0, 500));
// The CLI is deaf until the program it opened the page with has ended, as browsers' launchers do.
for (let left = 10; left > 0; left--) {
  try {
    await fetch(back, { signal: AbortSignal.timeout(2000) });
    break;
  } catch (e) {
    if (left === 1) throw e;
  }
}

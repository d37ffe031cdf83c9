// Everything the page does. Data reaches the document as text only, never as HTML.

const { url, key } = await (await fetch('settings.json')).json();
const { auth } = window.supabase.createClient(url, key, { auth: { experimental: { recoveryCodes: true } } });

const $ = (id) => document.getElementById(id);
const say = (text) => { $('message').textContent = text; };

/** What an answer of supabase-js holds; its error is thrown. */
function data(answer) {
  if (answer.error) throw answer.error;
  return answer.data;
}

/** Runs `action` for an event, then shows the page anew, or what went wrong. */
function on(target, event, action) {
  target.addEventListener(event, async (happened) => {
    happened.preventDefault();
    say('');
    try {
      await action(happened);
      await show();
    } catch (error) {
      say(error.message);
    }
  });
}

/** A route of the gateway that supabase-js has no call for. */
async function request(method, route) {
  const { session } = data(await auth.getSession());
  const headers = { apikey: key, authorization: `Bearer ${session.access_token}`, 'x-supabase-api-version': '2024-01-01' };
  const response = await fetch(`${url}/auth/v1${route}`, { method, headers });
  const body = response.status === 204 ? {} : await response.json();
  return response.ok ? { data: body, error: null } : { data: null, error: body };
}

// --- signing in and out ---

on($('password-form'), 'submit', async ({ submitter, currentTarget }) => {
  const { email, password } = Object.fromEntries(new FormData(currentTarget));
  if (submitter?.value === 'sign-up') {
    const { session } = data(await auth.signUp({ email, password }));
    if (!session) say('Follow the link in the mail that was sent to you.');
  } else {
    data(await auth.signInWithPassword({ email, password }));
  }
});

on($('passkey-sign-in'), 'click', async () => data(await auth.signInWithPasskey()));

on($('sign-out'), 'click', async () => data(await auth.signOut({ scope: 'local' })));

// --- the second factor ---

/** Raises the session to aal2 with a code of an authenticator app, or with a recovery code. */
async function verify(code) {
  if (!/^\d{6}$/.test(code)) return data(await auth.mfa.recoveryCodes.verify({ code }));
  const [factor] = data(await auth.mfa.listFactors()).totp;
  if (!factor) throw new Error('You have no authenticator app.');
  return data(await auth.mfa.challengeAndVerify({ factorId: factor.id, code }));
}

/** Asks for a code until one is right. Gives up when the user does. */
function confirmIdentity() {
  const dialog = $('step-up');
  const form = dialog.querySelector('form');
  form.reset();
  $('step-up-message').textContent = '';
  return new Promise((resolve, reject) => {
    form.onsubmit = async (event) => {
      event.preventDefault();
      if (event.submitter?.value === 'cancel') {
        dialog.close();
        return;
      }
      try {
        resolve(await verify(form.elements.code.value.trim()));
        dialog.close();
      } catch (error) {
        $('step-up-message').textContent = error.message;
      }
    };
    dialog.onclose = () => reject(new Error('Not confirmed.'));
    dialog.showModal();
  });
}

/** Runs an action. Where it needs a second factor, or a fresher one, asks the user and runs it again. */
async function confirmed(action) {
  const answer = await action();
  if (answer.error?.code !== 'insufficient_aal') return data(answer);
  await confirmIdentity();
  return data(await action());
}

on($('confirm'), 'click', confirmIdentity);

let enrolling;

on($('enrol'), 'click', async () => {
  // What an earlier visit left unfinished would be in the way of a second factor of the same name.
  const leftover = data(await auth.mfa.listFactors()).all.find(({ status }) => status === 'unverified');
  if (leftover) data(await auth.mfa.unenroll({ factorId: leftover.id }));
  const friendlyName = `App of ${new Date().toLocaleString()}`;
  enrolling = await confirmed(() => auth.mfa.enroll({ factorType: 'totp', friendlyName }));
  $('qr').src = enrolling.totp.qr_code;
  $('secret').textContent = enrolling.totp.secret;
  $('enrolment').reset();
});

on($('enrolment'), 'submit', async ({ currentTarget }) => {
  const code = currentTarget.elements.code.value.trim();
  data(await auth.mfa.challengeAndVerify({ factorId: enrolling.id, code }));
  enrolling = undefined;
  say('From now on a code is asked for. Make recovery codes for the day the app is lost.');
});

async function removeFactor(factorId) {
  await confirmed(() => auth.mfa.unenroll({ factorId }));
  // A token says what was true when it was issued: the next one has the level that is left.
  data(await auth.refreshSession());
  codes = [];
}

let codes = [];

on($('make-codes'), 'click', async () => {
  const { recoveryCodes } = auth.mfa;
  const { error } = await recoveryCodes.getStatus();
  ({ codes } = await confirmed(() => (error ? recoveryCodes.generate() : recoveryCodes.regenerate())));
  say('Write these codes down: they are shown this once, and each works once.');
});

// --- passkeys ---

on($('add-passkey'), 'click', async () => {
  await confirmed(() => auth.registerPasskey());
  say('The passkey was added.');
});

// --- what is shown ---

/** A button that runs `action`. */
function button(label, action) {
  const made = document.createElement('button');
  made.type = 'button';
  made.textContent = label;
  on(made, 'click', action);
  return made;
}

/** An entry of a list with a button behind it. */
function entry(text, ...rest) {
  const made = document.createElement('li');
  made.append(text, ' ', ...rest);
  return made;
}

function fill(time, value) {
  time.dateTime = value;
  time.textContent = new Date(value).toLocaleString();
}

function sessionRow(session) {
  const row = $('session-row').content.firstElementChild.cloneNode(true);
  const [device, address, created, used, level, action] = row.cells;
  const { browser, os } = session.device;
  device.textContent = browser || os ? `${browser ?? 'Unknown browser'} on ${os ?? 'an unknown system'}` : (session.user_agent ?? 'Unknown device');
  address.textContent = session.ip ?? 'unknown';
  fill(created.firstElementChild, session.created_at);
  fill(used.firstElementChild, session.refreshed_at ?? session.created_at);
  level.textContent = session.aal;
  if (session.current) action.textContent = 'This one';
  else action.append(button('End', () => request('DELETE', `/sessions/${session.id}`).then(data)));
  return row;
}

async function showAccount(session) {
  const { currentLevel, nextLevel } = data(await auth.mfa.getAuthenticatorAssuranceLevel());
  const { sessions } = data(await request('GET', '/sessions'));
  const factors = data(await auth.mfa.listFactors()).all.filter(({ status }) => status === 'verified');
  const passkeys = await auth.passkey.list();
  const recovery = await auth.mfa.recoveryCodes.getStatus();

  $('who').textContent = session.user.email;
  $('level').textContent = currentLevel;
  $('confirm').hidden = currentLevel === nextLevel;
  $('sessions').replaceChildren(...sessions.map(sessionRow));
  $('factors').replaceChildren(...factors.map((factor) => entry(factor.friendly_name ?? factor.factor_type,
    button('Remove', () => removeFactor(factor.id)))));
  // A project that offers no passkeys answers with an error.
  $('passkeys').replaceChildren(...(passkeys.data ?? []).map((passkey) => entry(passkey.friendly_name ?? 'Passkey',
    button('Remove', () => confirmed(() => auth.passkey.delete({ passkeyId: passkey.id }))))));
  $('recovery-status').textContent = recovery.data ? `${recovery.data.remaining} of ${recovery.data.total} are left.` : 'There are none.';
  $('codes').replaceChildren(...codes.map((code) => entry(code.match(/.{1,4}/g).join('-'))));
  $('enrolment').hidden = !enrolling;
}

/** Shows the page as the session is now. Runs one after another: the last one has the last word. */
let shown = Promise.resolve();
function show() {
  shown = shown.catch(() => {}).then(async () => {
    const { session } = data(await auth.getSession());
    try {
      if (session) await showAccount(session);
    } catch (error) {
      // The session was ended on another device: this one forgets it.
      if (!['session_not_found', 'session_expired'].includes(error.code)) throw error;
      await auth.signOut({ scope: 'local' });
      say('This session was ended.');
      return;
    }
    $('signed-in').hidden = !session;
    $('signed-out').hidden = Boolean(session);
  });
  return shown;
}

auth.onAuthStateChange((event) => {
  if (event === 'SIGNED_OUT') {
    enrolling = undefined;
    codes = [];
  }
  // Not within this call: it holds up every other call of the client until it is through.
  setTimeout(() => show().catch((error) => say(error.message)));
});

// Mail as a test reads it: out of a project's development mailbox, through templates that say everything.
import { until } from '../scripts/lib/processes.mjs';

const KINDS = ['invite', 'confirmation', 'recovery', 'magic_link', 'email_change'];

const body = (kind) => `<p>Kind: ${kind}</p><p>Code: {{ .Token }}</p><p>Hash: {{ .TokenHash }}</p><p>Redirect: {{ .RedirectTo }}</p><p><a href="{{ .ConfirmationURL }}">open</a></p>`;

/** Settings of a project whose mails can be read by `nextMail`, and which waits no time between two of them. */
export const READABLE = {
  mailer_autoconfirm: false,
  smtp_max_frequency: 1,
  ...Object.fromEntries(KINDS.map((kind) => [`mailer_templates_${kind}_content`, body(kind)])),
  mailer_templates_reauthentication_content: '<p>Kind: reauthentication</p><p>Code: {{ .Token }}</p>',
};

const seen = new Set();

/** The next mail to `email` that nobody has read yet: `{ subject, kind, code, hash, redirect, link, message }`. */
export async function nextMail(project, email) {
  const search = `${project.url}/mail/api/v1/search?query=${encodeURIComponent(`to:${email}`)}`;
  const found = await until(`a mail to ${email}`, async () => {
    const { messages } = await (await fetch(search)).json();
    return messages.filter(({ ID }) => !seen.has(ID)).at(-1);
  });
  seen.add(found.ID);
  const message = await (await fetch(`${project.url}/mail/api/v1/message/${found.ID}`)).json();
  const line = (name) => message.HTML.match(new RegExp(`<p>${name}: ([^<]*)</p>`))?.[1];
  const link = message.HTML.match(/href="([^"]+)"/)?.[1].replaceAll('&amp;', '&');
  return { subject: message.Subject, kind: line('Kind'), code: line('Code'), hash: line('Hash'), redirect: line('Redirect'), link, message };
}

/** How many mails to `email` are in the mailbox. */
export async function countMails(project, email) {
  const search = `${project.url}/mail/api/v1/search?query=${encodeURIComponent(`to:${email}`)}`;
  return (await (await fetch(search)).json()).messages_count;
}

/** Follows a link as a browser does, without going to where it leads: `{ status, target, query, fragment }`. */
export async function follow(link) {
  const response = await fetch(link, { redirect: 'manual' });
  const location = response.headers.get('location');
  if (!location) return { status: response.status, text: await response.text() };
  const url = new URL(location);
  return {
    status: response.status,
    target: `${url.origin}${url.pathname}`,
    query: Object.fromEntries(url.searchParams),
    fragment: Object.fromEntries(new URLSearchParams(url.hash.slice(1))),
  };
}

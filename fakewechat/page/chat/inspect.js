// The inspector: what happened for the line that is chosen.
import { h } from './dom.js';
import { t, language, inLanguage } from './words.js';
import { valuesOf } from './lines.js';
import { trace } from './trace.js';

// buttons makes what can be done with a callback.
export function buttons({ again, retry, edit, copySend, copyCurl }) {
  const button = (name, onclick) => h('button', { type: 'button', id: name, title: t('hints')[name], onclick }, t(name));
  return h('div.buttons', {}, button('again', again), button('retry', retry), button('edit', edit), button('copySend', copySend), button('copyCurl', copyCurl));
}

// detail makes the inspector's content for a line of an account and the API calls since then. WeChat waits for patience ms.
export function detail(line, calls, patience, account) {
  const whole = [];
  if (line.from === 'user') {
    whole.push(timeline(line, patience));
    line.attempts?.forEach(a => whole.push(attempt(a, line, account)));
    if (line.refused?.length && !line.attempts?.some(a => a.refused?.length)) whole.push(h('ul.checks', { id: 'refused' }, ...inLanguage(line, 'refused').map(r => h('li', {}, r))));
  } else {
    whole.push(h('p.hint', {}, t(line.from === 'account' ? 'pushedHint' : 'elsewhereHint')), table(line.fields));
  }
  if (line.xml) whole.push(code(t('callback'), line.xml, t('plain')));
  whole.push(h('h3', {}, t('calls')), calls.length ? h('ul.calls', {}, ...calls.map(call)) : h('p.hint', {}, t('noCalls')));
  return whole;
}

export const clock = at => new Date(at).toLocaleTimeString(language === 'zh' ? 'zh-CN' : 'en-GB', { hour12: false });

const took = ms => ms < 1000 ? t('ms')(ms) : t('seconds')((ms / 1000).toFixed(1));

function outcome(a) {
  if (a.running) return 'running';
  return a.refused?.length || a.error ? 'bad' : 'good';
}

// timeline draws each attempt on a line of as many seconds as WeChat waits.
function timeline(line, limit) {
  const rows = (line.attempts ?? []).map(a => {
    const bar = h(`div.bar.${outcome(a)}`);
    if (a.running) bar.style.animationDelay = `-${Math.max(0, Math.min(limit, Date.now() - Date.parse(a.at)))}ms`; // it began before it is drawn
    bar.style.width = a.running ? '100%' : `${Math.max(1, Math.min(100, a.ms / limit * 100))}%`;
    return h('div.row', {}, h('span', {}, `${a.number}`), h('div.track', {}, bar), h('span', {}, a.running ? '…' : took(a.ms)));
  });
  const scale = h('div.scale', { 'aria-hidden': 'true' });
  for (let s = 0; s <= limit / 1000; s++) scale.append(h('span', {}, t('seconds')(s)));
  return h('section.timeline', {}, h('h3', {}, t('attempts')), ...rows, scale);
}

function attempt(a, line, account) {
  const x = a.exchange;
  const state = outcome(a);
  const verdict = a.hidden ? t('notShown') : t({ running: 'running', good: 'accepted', bad: a.error ? 'noAnswer' : 'refusedBy' }[state]);
  const status = a.status ? `HTTP ${a.status} · ${took(a.ms)}` : '';
  const checks = [...(a.error ? [inLanguage(a, 'error')] : []), ...(inLanguage(a, 'refused') ?? [])];
  return h('section.attempt', {},
    h('h3', {}, t('attempt')(a.number), a.copy && h('span.tag', {}, t('copy')), (a.faults ?? []).map(f => h('span.tag', { title: f }, t('fault')[f]?.[0] ?? f)), h(`span.verdict.${a.hidden ? 'running' : state}`, {}, verdict)),
    h('p.hint', {}, [clock(a.at), status].filter(Boolean).join(' · ')),
    checks.length ? h('ul.checks', {}, ...checks.map(c => h('li', {}, c))) : undefined,
    a.warnings?.length ? h('ul.checks.warned', {}, ...inLanguage(a, 'warnings').map(w => h('li', {}, w))) : undefined,
    a.fields?.length ? table(a.fields) : state === 'good' && h('p.hint', {}, t('saysNothing')),
    trace(a.trace),
    x && code(t('signedURL'), x.url.replace(/[?&]/g, m => '\n  ' + m), ''),
    x && x.request !== line.xml && code(t('sentBody'), x.request, account.mode === 'plain' ? t('plain') : t('sealed')),
    x?.answer ? code(t('received'), x.answer, x.opened && x.opened !== x.answer ? t('sealed') : t('plain')) : undefined,
    x?.opened && x.opened !== x.answer ? code(t('opened'), x.opened, t('plain')) : undefined);
}

function table(fields) {
  return h('dl', {}, ...(fields ?? []).flatMap(f => [h('dt', {}, f.name), h('dd', {}, f.value)]));
}

function code(title, text, kind) {
  return h('details', { open: kind !== t('sealed') }, h('summary', {}, title, kind && h('span.tag', {}, kind)), h(kind ? 'pre' : 'pre.url', { tabindex: '0' }, text));
}

function call(c) {
  const good = c.outcome === 'ok';
  const words = inLanguage(c, 'outcome');
  return h('li', {}, h('span', {}, clock(c.at)), h('code', {}, c.path), h(`span.verdict.${good ? 'good' : 'bad'}`, {}, words));
}

const quote = s => `'${String(s).replaceAll("'", `'\\''`)}'`;

// cut says whether the platform kept no more than the beginning of a text.
const cut = text => !text || text.endsWith('…');

// sendLine returns the command that sends the like of a callback, each time as a new one; "" if that is too long. It holds no secret:
// those of an account that is not the one of wxgate dev come from the environment.
export function sendLine(line, account) {
  if (!line.send && cut(line.xml)) return '';
  const [kind, ...args] = line.send ?? ['xml', line.xml];
  const to = line.send ? ['--to', quote(valuesOf(line.fields).tousername)] : ['--new'];
  const as = account.dev ? [] : ['--app-id', quote(account.appID), '--mode', account.mode];
  return ['wxgate', 'send', ...as, '--url', quote(account.gateway), '--from', quote(line.user), ...to, kind,
    ...(args.some(a => a.startsWith('-')) ? ['--'] : []), ...args.map(quote)].join(' ');
}

// curlLine returns the command that repeats the last attempt byte for byte; "" where that is too long. A gateway takes it
// for as long as it takes the time in the URL: 5 minutes.
export function curlLine(line) {
  const x = line.attempts?.at(-1)?.exchange;
  return !x || cut(x.request) ? '' : `curl -sS -H 'Content-Type: text/xml' --data-raw ${quote(x.request)} ${quote(x.url)}`;
}

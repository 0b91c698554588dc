// The chat page: what it knows, what it hears of the platform, and what its user does.
import { h, $, arrange } from './dom.js';
import { t, language, choose } from './words.js';
import { saidBy, bubble, notice, valuesOf, answered, failedLine, repliedLine } from './lines.js';
import { drawMenu, ask } from './compose.js';
import { drawFaults, openFaults } from './faults.js';
import { detail, buttons, sendLine, curlLine, clock } from './inspect.js';

let hello = { users: [], lines: [], calls: [], typing: [], gateway: '', failed: '', patience: 5000 };
let current = sessionStorage.getItem('user') ?? ''; // openid
let chosen = 0; // id of the line in the inspector
let known; // the chosen line with its bodies
const typing = new Map(); // openid → when it ends
const read = new Map(); // openid → the newest line that was shown

// The platform's side of it.

const atMost = { lines: 200, calls: 200 };

function put(list, value) {
  const i = list.findIndex(v => v.id === value.id);
  if (i >= 0) list[i] = value;
  else list.push(value);
}

// meet adds a user, or puts what is newer in its place.
function meet(user) {
  hello.users = [...hello.users.filter(u => u.openid !== user.openid), user];
}

function listen() {
  const events = new EventSource('/fake/events');
  const on = (name, how) => events.addEventListener(name, e => { how(JSON.parse(e.data)); draw(); });
  on('hello', state => {
    hello = state;
    hello.calls ??= [];
    typing.clear();
    for (const one of state.typing) typing.set(one.user, Date.now() + one.ms);
    if (!read.size) for (const l of hello.lines) read.set(l.user, l.id);
    offline(false);
    know();
  });
  events.addEventListener('reset', () => {
    events.close();
    read.clear();
    closeInspector();
    listen();
  });
  on('user', meet);
  on('forget', openid => {
    hello.users = hello.users.filter(u => u.openid !== openid);
    hello.lines = hello.lines.filter(l => l.user !== openid);
  });
  on('line', line => {
    put(hello.lines, line);
    hello.lines.splice(0, hello.lines.length - atMost.lines);
    if (line.from === 'account') typing.delete(line.user);
    if (line.id === chosen) know();
  });
  on('call', call => {
    hello.calls.push(call);
    hello.calls.splice(0, hello.calls.length - atMost.calls);
    drawInspector();
  });
  on('faults', faults => { hello.faults = faults; });
  on('typing', one => {
    typing.set(one.user, Date.now() + one.ms);
    setTimeout(draw, one.ms + 50);
  });
  events.onerror = () => offline(true);
}

function offline(away) {
  $('offline').hidden = !away;
  $('offline').textContent = away ? t('offline') : '';
}

async function post(path, body) {
  try {
    const answer = await fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
    const said = await answer.json();
    return answer.ok ? said : { error: said.error ?? `HTTP ${answer.status}` };
  } catch {
    return { error: t('offline') };
  }
}

// send sends what the current user does and returns what is wrong with it, "" for nothing.
async function send(body) {
  const said = await post('/fake/lines', body);
  if (said.error) toast(said.error);
  else choice(said.id, false);
  return said.error ?? '';
}

// know asks for all of the chosen line.
async function know() {
  if (!chosen) return;
  const id = chosen;
  const answer = await fetch(`/fake/lines/${id}`).catch(() => undefined);
  if (id !== chosen || !answer) return;
  if (answer.ok) known = await answer.json();
  else toast(t('forgotten'));
  drawInspector();
}

// The user's side of it.

function choice(id, show) {
  chosen = id;
  document.body.classList.toggle('inspecting', show);
  draw();
  know();
  if (show) $('inspector').focus({ preventScroll: true });
}

function closeInspector() {
  document.body.classList.remove('inspecting');
  const id = chosen;
  chosen = 0;
  known = undefined;
  draw();
  drawInspector();
  document.querySelector(`#lines [data-key="${id}:said"]`)?.focus();
}

function chooseUser(openid) {
  current = openid;
  sessionStorage.setItem('user', openid);
  if (hello.lines.find(l => l.id === chosen)?.user !== openid) chosen = 0;
  draw();
  drawInspector();
  toEnd(true);
}

let toastEnds;
function toast(text) {
  $('toast').textContent = text;
  $('toast').classList.add('shown');
  clearTimeout(toastEnds);
  toastEnds = setTimeout(() => $('toast').classList.remove('shown'), 4000);
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast(t('copied'));
  } catch { // no permission, or no secure context: let the user copy it
    ask(t('copySend'), [['xml', text]], () => '');
  }
}

// Drawing.

const tones = 6;
const tone = openid => [...openid].reduce((sum, c) => (sum * 31 + c.codePointAt(0)) % 9973, 7) % tones;
const number = openid => hello.users.toSorted((a, b) => a.since - b.since).findIndex(u => u.openid === openid) + 1;
const avatar = openid => h(`span.avatar.tone${tone(openid)}`, { 'aria-hidden': 'true' }, `${number(openid)}`);

function draw() {
  const users = hello.users.toSorted((a, b) => a.since - b.since);
  if (!users.some(u => u.openid === current)) current = users[0]?.openid ?? '';
  const mine = hello.lines.filter(l => l.user === current);
  read.set(current, mine.at(-1)?.id ?? 0);

  $('gateway').textContent = hello.gateway || t('noGateway');
  $('mode').textContent = hello.mode ?? '';
  arrange($('users'), users.map(u => {
    const unread = hello.lines.some(l => l.user === u.openid && l.id > (read.get(u.openid) ?? 0));
    return { key: u.openid, state: [language, u.openid === current, unread].join(), u, unread };
  }), ({ u, unread }) => h('button', {
    type: 'button', title: u.openid, 'aria-pressed': String(u.openid === current), onclick: () => chooseUser(u.openid),
  }, avatar(u.openid), h('span', {}, t('user')(number(u.openid))), unread && h('span.unread', {}, '•')));

  const isTyping = (typing.get(current) ?? 0) > Date.now();
  $('peer').textContent = isTyping ? t('typing') : t('account');
  $('peer').classList.toggle('typing', isTyping);
  $('peer-id').textContent = hello.originalID ?? '';
  for (const e of $('say').elements) e.disabled = !hello.gateway;

  drawFaults(hello.faults);
  arrange($('lines'), items(mine), drawItem);
  toEnd();
}

let atEnd = true; // whether the chat is read to its end, and follows what is new
function toEnd(anyway) {
  atEnd ||= anyway;
  if (atEnd) $('lines').scrollTop = $('lines').scrollHeight;
}

// items returns what the chat shows, in the order of time: what was said, what came back, and the time between.
function items(lines) {
  const all = [];
  for (const line of lines) {
    const state = mark => [language, chosen === line.id, mark].join();
    const at = Date.parse(line.at);
    all.push({ at, key: `${line.id}:said`, state: state(line.done), line, part: 'said' });
    const last = answered(line);
    const ended = last ? Date.parse(last.at) + last.ms : at;
    if (repliedLine(line)) all.push({ at: ended, key: `${line.id}:reply`, state: state(''), line, part: 'reply' });
    if (failedLine(line)) all.push({ at: ended, key: `${line.id}:failed`, state: state(''), line, part: 'failed' });
  }
  all.sort((a, b) => a.at - b.at || a.line.id - b.line.id);
  if (!all.length) return [{ key: 'empty', state: language, part: 'empty' }];
  const shown = [];
  let before = 0;
  for (const item of all) {
    if (item.at - before > 120_000) shown.push({ key: `${item.key}:time`, state: language, part: 'time', at: item.at });
    before = item.at;
    shown.push(item);
  }
  return shown;
}

function drawItem({ line, part, at }) {
  switch (part) {
    case 'empty': return h('li.empty', {}, h('b', {}, t('empty')), h('p', {}, t('emptyHint')));
    case 'time': return h('li.time', {}, clock(at));
  }
  const pushed = line.from === 'account';
  const mine = part === 'said' && !pushed;
  let content, note;
  if (part === 'failed') content = notice(hello.failed, t('failed') && h('small', {}, t('failed')));
  else if (part === 'reply') content = bubble(valuesOf(answered(line).fields), true);
  else if (pushed) [content, note] = [bubble(valuesOf(line.fields), true), t('pushed')];
  else [content, note] = [saidBy(line), line.from === 'elsewhere' ? t('elsewhere') : undefined];
  const centred = content.classList.contains('notice');
  const li = h(`li.${part}.${centred ? 'centre' : mine ? 'mine' : 'theirs'}`, {
    tabindex: '0', 'aria-current': chosen === line.id ? 'true' : undefined,
    onclick: e => { if (!e.target.closest('a')) choice(line.id, true); },
    onkeydown: e => {
      if (e.target === li && (e.key === 'Enter' || e.key === ' ')) { e.preventDefault(); choice(line.id, true); }
      const next = { ArrowUp: li.previousElementSibling, ArrowDown: li.nextElementSibling }[e.key];
      if (next) { e.preventDefault(); next.focus(); }
    },
  });
  if (!centred) li.append(mine ? avatar(line.user) : h('span.avatar.account', { 'aria-hidden': 'true' }, '公'));
  li.append(h('div.content', {}, content, note && h('small.note', {}, note)));
  if (mine && !line.done) li.append(h('span.waiting', { role: 'img', 'aria-label': t('waiting') }));
  return li;
}

function drawInspector() {
  if (!known || known.id !== chosen) {
    if (!chosen) $('detail').replaceChildren(h('p.nothing', {}, t('nothing')));
    return;
  }
  // The buttons stay while there are some: who presses one must not lose it to an event.
  const kind = `${language} ${known.from === 'user'}`;
  if ($('detail').firstChild?.dataset?.kind !== kind) {
    $('detail').replaceChildren(h('div.actions', { 'data-kind': kind }, known.from === 'user' && buttons({
      again: () => send({ xml: known.xml }),
      edit: () => ask(t('edit'), [['xml', known.xml]], ([xml]) => broken(xml) ? t('broken') : send({ xml })),
      copySend: () => copy(sendLine(known, hello)),
      copyCurl: () => copy(curlLine(known)),
    })), h('div.story'));
  }
  const into = $('detail').lastChild;
  const open = into.dataset.line === String(chosen) ? [...into.querySelectorAll('details')].map(d => d.open) : [];
  const since = hello.calls.filter(c => (!c.user || c.user === known.user) && Date.parse(c.at) >= Date.parse(known.at)).slice(0, 20);
  into.replaceChildren(...detail(known, since, hello));
  into.dataset.line = chosen;
  const sections = [...into.querySelectorAll('details')];
  if (open.length === sections.length) sections.forEach((d, i) => { d.open = open[i]; });
}

// broken says whether tags do not fit, which the platform would refuse to send. (A DOMParser's own error breaks the policy.)
function broken(xml) {
  const open = [];
  for (const [tag] of xml.replace(/<!\[CDATA\[[\s\S]*?\]\]>|<!--[\s\S]*?-->|<\?[\s\S]*?\?>/g, '').matchAll(/<[^<>]*>?/g)) {
    const [, end, name, alone] = /^<(\/?)([^\s<>/]+)[^<>]*?(\/?)>$/.exec(tag) ?? [];
    if (!name || end && open.pop() !== name) return true;
    if (!end && !alone) open.push(name);
  }
  return open.length > 0 || !xml.trim().endsWith('</xml>');
}

function toggleMenu(open) {
  $('menu').hidden = !open;
  $('more').setAttribute('aria-expanded', String(open));
  if (open) $('menu').querySelector('button').focus();
}

function translate(wanted) {
  choose(wanted);
  $('language').textContent = language === 'zh' ? 'English' : '中文';
  $('language').lang = language === 'zh' ? 'en' : 'zh';
  drawMenu((kind, args) => { toggleMenu(false); return send({ user: current, kind, args }); });
  draw();
  drawInspector();
}

function begin() {
  const text = $('text'), lines = $('lines');
  lines.addEventListener('scroll', () => { atEnd = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 80; });
  new ResizeObserver(() => toEnd()).observe(lines);
  $('say').addEventListener('submit', async e => {
    e.preventDefault();
    const said = text.value;
    if (!said.trim()) return;
    text.value = '';
    text.focus();
    if (await send({ user: current, kind: 'text', args: [said] })) text.value ||= said;
    toEnd(true);
  });
  let shift = false;
  text.addEventListener('keydown', e => { shift = e.shiftKey; });
  text.addEventListener('beforeinput', e => { // Enter; while a word is composed it is none
    if (e.inputType !== 'insertLineBreak' || shift) return;
    e.preventDefault();
    $('say').requestSubmit();
  });
  $('more').addEventListener('click', () => toggleMenu($('menu').hidden));
  $('close').addEventListener('click', closeInspector);
  $('faults').addEventListener('click', () => openFaults(hello.faults, hello.paths));
  $('language').addEventListener('click', () => translate(language === 'zh' ? 'en' : 'zh'));
  $('new-user').addEventListener('click', async () => {
    const made = await post('/fake/users', {});
    if (made.error) {
      toast(made.error);
      return;
    }
    if (!hello.users.some(u => u.openid === made.openid)) meet({ openid: made.openid, since: Infinity }); // its event follows
    chooseUser(made.openid);
  });
  document.addEventListener('keydown', e => {
    if (e.key !== 'Escape' || document.querySelector('dialog[open]')) return;
    if (!$('menu').hidden) {
      toggleMenu(false);
      $('more').focus();
    } else if (chosen) closeInspector();
  });
  translate();
  listen();
}

begin();

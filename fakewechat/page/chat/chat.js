// The chat page: what it knows, what it hears of the platform, and what its user does.
import { h, $, arrange } from './dom.js';
import { t, language, inLanguage, choose } from './words.js';
import { call } from './call.js';
import { saidBy, bubble, notice, valuesOf, answered, failedLine, hiddenLine, repliedLine } from './lines.js';
import { drawMenu, allowActions, ask } from './compose.js';
import { openKinds, editXML, tapMenu } from './forms.js';
import { drawAccounts, settings } from './accounts.js';
import { openList, showChosen, watchRow } from './people.js';
import { drawFaults, openFaults } from './faults.js';
import { drawProblems } from './problems.js';
import { detail, buttons, sendLine, curlLine, clock } from './inspect.js';

let hello = { accounts: [], users: [], lines: [], calls: [], typing: [], failed: '', patience: 5000 };
let account = sessionStorage.getItem('account') ?? ''; // the AppID of the one that is shown
let current = sessionStorage.getItem('user') ?? ''; // openid of its user
let chosen = 0; // id of the line in the inspector
let known; // the chosen line with its bodies
const typing = new Map(); // talker → when it ends
const read = new Map(); // talker → the newest line that was shown
const last = new Map(); // AppID → the openid of its user who was shown last

// talker names a user of an account, or the one whose line it is.
const talker = one => `${one.account} ${one.openid ?? one.user}`;
const shown = () => talker({ account, openid: current });

// The platform's side of it.

const atMost = { lines: 200, calls: 200 };

function put(list, value) {
  const i = list.findIndex(v => v.id === value.id);
  if (i >= 0) list[i] = value;
  else list.push(value);
}

// meet adds a user, or puts what is newer in its place.
function meet(user) {
  hello.users = [...hello.users.filter(u => talker(u) !== talker(user)), user];
}

function listen() {
  const events = new EventSource('/fake/events');
  const on = (name, how) => events.addEventListener(name, e => { how(JSON.parse(e.data)); draw(); });
  on('hello', state => {
    hello = state;
    hello.calls ??= [];
    typing.clear();
    for (const one of state.typing) typing.set(talker(one), Date.now() + one.ms);
    if (!read.size) for (const l of hello.lines) read.set(talker(l), l.id);
    offline(false);
    know();
  });
  events.addEventListener('reset', () => {
    events.close();
    read.clear();
    closeInspector();
    listen();
  });
  on('accounts', accounts => { hello.accounts = accounts; });
  on('user', meet);
  on('forget', one => {
    hello.users = hello.users.filter(u => talker(u) !== talker(one));
    hello.lines = hello.lines.filter(l => talker(l) !== talker(one));
  });
  on('line', line => {
    put(hello.lines, line);
    hello.lines.splice(0, hello.lines.length - atMost.lines);
    if (line.from === 'account') typing.delete(talker(line));
    if (line.id === chosen) know();
  });
  on('call', one => {
    hello.calls.push(one);
    hello.calls.splice(0, hello.calls.length - atMost.calls);
    drawInspector();
  });
  on('problems', problems => { hello.problems = problems; });
  on('faults', faults => { hello.faults = faults; });
  on('typing', one => {
    typing.set(talker(one), Date.now() + one.ms);
    setTimeout(draw, one.ms + 50);
  });
  events.onerror = () => offline(true);
}

function offline(away) {
  $('offline').hidden = !away;
  $('offline').textContent = away ? t('offline') : '';
}

// send sends what the current user does and returns what is wrong with it, "" for nothing.
async function send(body) {
  const said = await call('/fake/lines', body);
  const wrong = inLanguage(said, 'error') ?? '';
  if (wrong) toast(wrong);
  else choice(said.id, false);
  return wrong;
}

// page is what forms.js needs to know.
const page = { get account() { return account; }, get user() { return current; }, send, toast };

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
  sessionStorage.setItem('account', account);
  sessionStorage.setItem('user', openid);
  if (!hello.lines.some(l => l.id === chosen && talker(l) === shown())) chosen = 0;
  draw();
  drawInspector();
  toEnd(true);
}

function chooseAccount(appID) {
  account = appID;
  chooseUser(last.get(appID) ?? mine()[0]?.openid ?? '');
}

let toastEnds;
function toast(text) {
  $('toast').textContent = text;
  $('toast').classList.add('shown');
  clearTimeout(toastEnds);
  toastEnds = setTimeout(() => $('toast').classList.remove('shown'), 4000);
}

async function copy(text, hint) {
  if (!text) {
    toast(t('tooLong'));
    return;
  }
  try {
    await navigator.clipboard.writeText(text);
    toast(hint);
  } catch { // no permission, or no secure context: let the user copy it
    ask(t('copySend'), [['xml', text]], () => '');
  }
}

// Drawing.

const tones = 6;
const mine = () => hello.users.filter(u => u.account === account).toSorted((a, b) => a.since - b.since);
const avatar = openid => {
  const number = mine().find(u => u.openid === openid)?.number ?? 0;
  return h(`span.avatar.tone${number % tones}`, { 'aria-hidden': 'true' }, `${number}`);
};
const unread = one => hello.lines.some(l => talker(l) === talker(one) && l.id > (read.get(talker(one)) ?? 0));

// about is what is known of the account that is shown.
const about = () => hello.accounts.find(a => a.appID === account) ?? hello.accounts[0];

function draw() {
  if (!hello.accounts.length) return; // nothing is known yet
  const of = about();
  account = of.appID;
  const users = mine();
  if (!users.some(u => u.openid === current)) current = users[0]?.openid ?? '';
  last.set(account, current);
  const lines = hello.lines.filter(l => talker(l) === shown());
  read.set(shown(), lines.at(-1)?.id ?? 0);

  drawAccounts(hello.accounts, account, accountNews, chooseAccount);
  $('gateway').textContent = of.gateway || t('noGateway');
  $('mode').textContent = of.mode;
  arrange($('users'), users.map(u => {
    const news = unread(u);
    return { key: talker(u), state: [language, u.openid === current, news].join(), u, news };
  }), ({ u, news }) => h('button', {
    type: 'button', title: u.openid, 'aria-pressed': String(u.openid === current), onclick: () => chooseUser(u.openid),
  }, avatar(u.openid), h('span', {}, t('user')(u.number)), news && h('span.unread', { role: 'img', 'aria-label': t('unread') }, '•')));

  if (inView !== shown()) document.querySelectorAll('.choice').forEach(showChosen);
  inView = shown();

  const isTyping = (typing.get(shown()) ?? 0) > Date.now();
  $('peer').textContent = isTyping ? t('typing') : t('account');
  $('peer').classList.toggle('typing', isTyping);
  $('peer-id').textContent = of.originalID;
  const follow = mine().find(u => u.openid === current)?.follow, left = follow === 'no';
  $('follow').textContent = t('follows')[follow] ?? '';
  $('follow').hidden = !follow;
  for (const e of $('say').elements) e.disabled = !of.gateway || !current || left && e.id !== 'more';
  $('text').placeholder = t(!of.gateway ? 'noGateway' : left ? 'left' : 'message');
  allowActions(follow);

  drawFaults(hello.faults);
  drawProblems(hello.problems ?? []);
  arrange($('lines'), items(lines), drawItem);
  toEnd();
}

let inView = ''; // the talker whose button was last scrolled to

// listUsers and listAccounts open the list of all.
function listUsers() {
  openList(t('users'), mine().map(u => ({
    avatar: avatar(u.openid), name: t('user')(u.number), details: [t('follows')[u.follow], u.openid], shown: u.openid === current, news: unread(u),
    choose: () => chooseUser(u.openid),
  })));
}

function listAccounts() {
  openList(t('accounts'), hello.accounts.map(a => ({
    avatar: h('span.avatar.account', { 'aria-hidden': 'true' }, '公'), name: a.originalID, details: [a.appID, a.gateway || t('noGateway')], shown: a.appID === account,
    news: accountNews(a.appID), choose: () => chooseAccount(a.appID),
  })));
}

const accountNews = appID => hello.users.some(u => u.account === appID && unread(u));

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
    if (hiddenLine(line)) all.push({ at: ended, key: `${line.id}:unseen`, state: state(''), line, part: 'unseen' });
    if (failedLine(line)) all.push({ at: ended, key: `${line.id}:failed`, state: state(''), line, part: 'failed' });
  }
  all.sort((a, b) => a.at - b.at || a.line.id - b.line.id);
  if (!all.length) return [{ key: 'empty', state: [language, about().gateway].join(), part: 'empty' }];
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
    case 'empty': return h('li.empty', {}, h('b', {}, t('empty')), h('p', {}, t(about().gateway ? 'emptyHint' : 'noGateway')));
    case 'time': return h('li.time', {}, clock(at));
  }
  const pushed = line.from === 'account';
  const mine = part === 'said' && !pushed;
  let content, note;
  if (part === 'failed') content = notice(hello.failed, t('failed') && h('small', {}, t('failed')));
  else if (part === 'unseen') content = notice(t('notShown'));
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
      again: () => send({ account: known.account, user: known.user, xml: known.xml, new: true }),
      retry: () => send({ account: known.account, user: known.user, xml: known.xml }),
      edit: () => editXML(page, known.account, known.user, known.xml),
      copySend: () => copy(sendLine(known, about()), t(about().dev ? 'copied' : 'copiedSend')),
      copyCurl: () => copy(curlLine(known), t('copiedCurl')),
    })), h('div.story'));
  }
  const into = $('detail').lastChild;
  const open = into.dataset.line === String(chosen) ? [...into.querySelectorAll('details')].map(d => d.open) : [];
  const since = hello.calls.filter(c => (!c.account || c.account === known.account) && (!c.user || c.user === known.user) && Date.parse(c.at) >= Date.parse(known.at)).slice(0, 20);
  into.replaceChildren(...detail(known, since, hello.patience, about()));
  into.dataset.line = chosen;
  const sections = [...into.querySelectorAll('details')];
  if (open.length === sections.length) sections.forEach((d, i) => { d.open = open[i]; });
}

function toggleMenu(open) {
  $('menu').hidden = !open;
  $('more').setAttribute('aria-expanded', String(open));
  if (open) $('menu').querySelector('button:enabled').focus();
}

// asStranger returns an action's arguments as they are for the current user: to scan a code is to follow for who does not.
function asStranger(args) {
  const follows = mine().find(u => u.openid === current)?.follow === 'yes';
  return args[0] === 'SCAN' && !follows ? ['subscribe', args[1]] : args;
}

function translate(wanted) {
  choose(wanted);
  $('language').textContent = language === 'zh' ? 'English' : '中文';
  $('log').href = `/fake/log?lang=${language}`;
  $('language').lang = language === 'zh' ? 'en' : 'zh';
  drawMenu((kind, args) => { toggleMenu(false); return send({ account, user: current, kind, args: asStranger(args) }); }, () => { toggleMenu(false); openKinds(page); });
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
    if (await send({ account, user: current, kind: 'text', args: [said] })) text.value ||= said;
    toEnd(true);
  });
  let shift = false;
  text.addEventListener('keydown', e => { shift = e.shiftKey; });
  text.addEventListener('beforeinput', e => { // Enter; while a word is composed it is none
    if (e.inputType !== 'insertLineBreak' || shift) return;
    e.preventDefault();
    $('say').requestSubmit();
  });
  lines.addEventListener('click', e => tapMenu(page, e));
  $('more').addEventListener('click', () => toggleMenu($('menu').hidden));
  $('close').addEventListener('click', closeInspector);
  $('faults').addEventListener('click', () => openFaults(hello.faults, hello.paths));
  $('language').addEventListener('click', () => translate(language === 'zh' ? 'en' : 'zh'));
  for (const [row, list] of [['users', listUsers], ['accounts', listAccounts]]) {
    watchRow($(row), $(`all-${row}`));
    $(`all-${row}`).addEventListener('click', list);
  }
  $('new-user').addEventListener('click', async () => {
    const made = await call('/fake/users', { account });
    if (made.error) {
      toast(made.error);
      return;
    }
    meet(made);
    chooseUser(made.openid);
  });
  const saved = (appID, accounts) => {
    hello.accounts = accounts;
    chooseAccount(appID);
    toast(t('saved'));
  };
  $('settings').addEventListener('click', () => settings(about(), saved));
  $('new-account').addEventListener('click', () => settings(undefined, saved));
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

// What a user can do besides writing: the + menu, and the form that asks for what an action needs.
import { h, $ } from './dom.js';
import { t } from './words.js';

// actions: a name of words.js, an icon, the kind and arguments of the platform's Compose, and the fields to ask for.
// A field: its name, what stands in it, whether it may stay empty.
const actions = [
  ['image', '🖼', 'image', [], [['picUrl', '', true]]],
  ['voice', '🎤', 'voice', [], [['recognition', '', true]]],
  ['video', '🎬', 'video', [], []],
  ['shortvideo', '📹', 'shortvideo', [], []],
  ['location', '📍', 'location', [], [['latitude', '23.134521'], ['longitude', '113.358800'], ['label', '广州', true]]],
  ['link', '🔗', 'link', [], [['url', 'https://example.com/'], ['title', '示例标题'], ['description', '示例描述']]],
  ['follow', '➕', 'event', ['subscribe'], [['scene', '', true]]],
  ['unfollow', '➖', 'event', ['unsubscribe'], []],
  ['scan', '🔳', 'event', ['SCAN'], [['scene', 'campaign-42']]],
  ['click', '☰', 'event', ['CLICK'], [['key', 'V1_HELP']]],
  ['view', '🌐', 'event', ['VIEW'], [['url', 'https://example.com/']]],
  ['report', '🧭', 'event', ['LOCATION'], [['latitude', '31.230416'], ['longitude', '121.473701']]],
];

// drawMenu fills the + menu. send(kind, args) returns what is wrong, "" for nothing; more opens the form of all kinds.
export function drawMenu(send, more) {
  $('menu').replaceChildren(...actions.map(([name, icon, kind, args, fields]) =>
    h('button', {
      type: 'button', 'data-action': name,
      onclick: () => fields.length === 0 ? send(kind, args) : ask(t(name), fields, values => {
        while (values.length && values.at(-1) === '' && fields[values.length - 1][2]) values = values.slice(0, -1);
        return send(kind, [...args, ...values]);
      }),
    }, h('span.icon', { 'aria-hidden': 'true' }, icon), h('span', {}, t(name)))), h('button', { type: 'button', 'data-action': 'kinds', onclick: more },
    h('span.icon', { 'aria-hidden': 'true' }, '⋯'), h('span', {}, t('kinds'))));
}

// allowActions leaves the + menu what a user can do who follows the account, has left it, or of whom that is not known.
export function allowActions(follow) {
  for (const [name] of actions) {
    const does = follow === 'no' ? ['follow', 'scan'].includes(name) : name !== 'follow' || follow !== 'yes';
    $('menu').querySelector(`[data-action="${name}"]`).disabled = !does;
  }
}

// ask opens the form and calls done with its values; it stays open where done returns a problem.
export function ask(title, fields, done) {
  const inputs = fields.map(([name, value]) => name === 'xml' ? h('textarea.code', { rows: '14', spellcheck: 'false' }) : h('input', { value }));
  fields.forEach(([name, value], i) => { if (name === 'xml') inputs[i].value = value; });
  openForm(title, fields.map(([name, , optional], i) =>
    h('label', {}, h('span', {}, t('field')[name], optional && h('small', {}, t('field').optional)), inputs[i])), () => done(inputs.map(i => i.value)));
}

// openForm opens the form with what is in it, and with more buttons. It stays open where done returns a problem.
export function openForm(title, content, done, ...buttons) {
  const dialog = $('form');
  $('form-title').textContent = title;
  $('form-fields').replaceChildren(...content);
  $('form-more').replaceChildren(...buttons);
  problem('');
  $('form-cancel').onclick = () => dialog.close();
  dialog.querySelector('form').onsubmit = async e => {
    e.preventDefault();
    const wrong = await done();
    problem(wrong);
    if (!wrong) dialog.close();
  };
  if (!dialog.open) dialog.showModal();
  $('form-fields').querySelector('input, textarea').focus();
}

// problem shows what is wrong with the form; "" for nothing.
export function problem(text) {
  $('form-problem').textContent = text;
  $('form-problem').hidden = !text;
}

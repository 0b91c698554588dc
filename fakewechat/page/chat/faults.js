// What goes wrong on purpose: how much of it is on, and the dialog that sets it.
import { h, $ } from './dom.js';
import { t } from './words.js';
import { call } from './call.js';

// groups: the faults by where they strike, and how each is set.
const groups = {
  way: {
    lose: rate, lose_answer: rate, delay: duration, cut: rate, retry_early: rate, retry_after: duration, twice: rate,
    same_signature: rate, wrong_signature: rate, clock: duration, duplicate: rate, out_of_order: rate,
  },
  message: { control_characters: rate, broken_cdata: rate, unknown_type: rate },
  api: { api_errors: errcodes, api_delay: duration, api_half: rate, api_html: rate, api_reset: rate },
  run: { seed: integer },
};

const percent = r => Number((r * 100).toPrecision(12));

// on returns the words for what is on. A seed, or a time without what happens then, is nothing.
function on(faults) {
  const words = [];
  for (const [name, value] of Object.entries(faults ?? {})) {
    const title = t('fault')[name]?.[0] ?? name;
    if (name === 'seed' || name === 'retry_after') continue;
    if (typeof value === 'string') words.push(value !== '0s' && `${title} ${value}`);
    else if (typeof value === 'number') words.push(value > 0 && `${title} ${percent(value)} %`);
    else words.push(...Object.entries(value).map(([errcode, r]) => `${errcode} ${percent(r)} %`));
  }
  return words.filter(Boolean);
}

// drawFaults shows in the header what is on.
export function drawFaults(faults) {
  const words = on(faults);
  $('faults').disabled = !faults;
  $('faults').title = words.length ? t('faultsOn')(words.join(', ')) : '';
  $('faults-on').hidden = !words.length;
  $('faults-on').textContent = words.length;
}

// Ways to set a fault: each makes its elements, and returns how to read them.

const box = (id, value, props) => h('input', { id, value: String(value), autocomplete: 'off', spellcheck: 'false', 'aria-describedby': `${id}-hint ${id}-wrong`, ...props });

// number reads a number; what is none goes to the platform as it is, which says so.
const number = text => text.trim() === '' || Number.isNaN(Number(text)) ? text.trim() || 0 : Number(text);

function share(text) {
  const n = number(text);
  return typeof n === 'number' ? Number((n / 100).toPrecision(12)) : n;
}

function rate(name, value) {
  const input = box(`fault-${name}`, percent(value), { inputmode: 'decimal' });
  const presets = [[0, t('off')], [10, '10 %'], [100, t('always')]].map(([n, words]) =>
    [n, h('input', { type: 'radio', name: `preset-${name}`, value: String(n), onchange: () => { input.value = n; } }), words]);
  const mark = () => presets.forEach(([n, radio]) => { radio.checked = share(input.value) * 100 === n; });
  input.addEventListener('input', mark);
  mark();
  return [() => share(input.value), h('div.presets', { role: 'radiogroup', 'aria-label': t('fault')[name][0] },
    ...presets.map(([, radio, words]) => h('label', {}, radio, h('span', {}, words)))), input, h('span', { 'aria-hidden': 'true' }, '%')];
}

function duration(name, value) {
  const input = box(`fault-${name}`, value);
  return [() => input.value.trim() || '0s', input];
}

function integer(name, value) {
  const input = box(`fault-${name}`, value, { inputmode: 'numeric' });
  return [() => number(input.value), input];
}

function errcodes(name, value) {
  const rows = h('ul');
  const add = (errcode, r) => {
    const row = h('li', {},
      h('input', { value: errcode, inputmode: 'numeric', 'aria-label': t('errcode'), autocomplete: 'off' }),
      h('input', { value: r, inputmode: 'decimal', 'aria-label': t('percent'), autocomplete: 'off' }), h('span', { 'aria-hidden': 'true' }, '%'),
      h('button.round', { type: 'button', 'aria-label': t('remove')(errcode), title: t('remove')(errcode), onclick: () => { row.remove(); more.focus(); } }, '×'));
    rows.append(row);
    return row;
  };
  const more = h('button', { type: 'button', id: `fault-${name}`, onclick: () => add('45009', '10').firstChild.focus() }, t('addErrcode'));
  for (const [errcode, r] of Object.entries(value)) add(errcode, String(percent(r)));
  return [() => Object.fromEntries([...rows.children].map(row => {
    const [errcode, r] = row.querySelectorAll('input');
    return [errcode.value.trim(), share(r.value)];
  })), rows, more];
}

// wrong returns the page's words for what the platform says is wrong with a fault.
function wrong(text) {
  const [, least, most] = /duration from (\S+) to ([^\s,]+)/.exec(text) ?? [];
  const kind = least ? 'duration' : [[/rate from/, 'rate'], [/integer from/, 'seed'], [/errcode is/, 'errcode'], [/together/, 'together'], [/twice/, 'twice']].find(([r]) => r.test(text))?.[1];
  return kind ? t('faultWrong')[kind](least, most) : text;
}

// problems puts what is wrong at its fault, and the rest at the end.
function problems(dialog, error) {
  for (const e of dialog.querySelectorAll('.wrong')) e.textContent = '';
  const rest = [];
  for (const line of error ? error.split('\n') : []) {
    const [, name, text] = /^"([a-z_]+)[^"]*": (.*)$/.exec(line) ?? [];
    const at = $(`fault-${name}-wrong`);
    if (at) at.textContent = wrong(text);
    else rest.push(line);
  }
  say(rest.join(' '), true);
  [...dialog.querySelectorAll('.wrong')].find(e => e.textContent)?.closest('.fault').querySelector('input:not([type=radio]), button').focus();
}

function say(text, bad) {
  const said = $('misbehave-said');
  said.textContent = text;
  said.className = bad && text ? 'problem' : 'hint';
}

// openFaults opens the dialog with the faults as they are.
export function openFaults(faults, paths) {
  const dialog = $('misbehave');
  const read = {};
  const row = (name, make) => {
    const [how, ...elements] = make(name, faults[name]);
    read[name] = how;
    const [title, hint] = t('fault')[name];
    return h('div.fault', { 'data-fault': name },
      h('div', {}, h('label', { for: `fault-${name}` }, title), h('small', { id: `fault-${name}-hint` }, hint)),
      h('div.set', {}, ...elements), h('p.wrong', { id: `fault-${name}-wrong`, role: 'alert' }));
  };
  const set = async values => {
    const { error } = await call('/fake/v1/faults', values, 'PUT');
    problems(dialog, error);
    if (!error) dialog.close();
  };
  const once = async (path, body, done) => {
    const { error } = await call(`/fake/v1/${path}`, body);
    say(error || done, !!error);
  };
  const fail = [
    h('select', { id: 'fail-path' }, ...paths.map(p => h('option', {}, p))), h('input', { id: 'fail-errcode', value: '45009', inputmode: 'numeric' }),
    h('input', { id: 'fail-n', value: '1', inputmode: 'numeric' })];
  const form = h('form', { id: 'faults-form', onsubmit: e => {
    e.preventDefault();
    const codes = [...form.querySelectorAll('.set li input:first-child')].map(i => i.value.trim());
    if (new Set(codes).size < codes.length) problems(dialog, '"api_errors": it occurs twice'); // an object can't hold both
    else set(Object.fromEntries(Object.entries(read).map(([name, how]) => [name, how()])));
  } }, ...Object.entries(groups).map(([group, all]) => h('fieldset', {}, h('legend', {}, t('faultGroup')[group]), ...Object.entries(all).map(([name, make]) => row(name, make)))));
  dialog.replaceChildren(
    h('h2', { id: 'misbehave-title' }, t('faults')), h('p.hint', {}, t('faultsHint')), form,
    h('form', { onsubmit: e => {
      e.preventDefault();
      once('fail', { path: fail[0].value, errcode: number(fail[1].value), n: number(fail[2].value) }, t('failing'));
    } }, h('fieldset.once', {}, h('legend', {}, t('faultGroup').once),
      ...['path', 'errcode', 'times'].map((name, i) => h('label', {}, h('span', {}, t(name)), fail[i])),
      h('div.buttons', {}, h('button', { id: 'fail' }, t('failNext')),
        h('button', { type: 'button', id: 'expire', onclick: () => once('expire-token', {}, t('expired')) }, t('expireToken'))))),
    h('div.foot', {}, h('p.hint', { id: 'misbehave-said', role: 'status' }), h('div.buttons', {},
      h('button', { type: 'button', id: 'misbehave-close', onclick: () => dialog.close() }, t('close')),
      h('button', { type: 'button', id: 'all-off', onclick: () => set({}) }, t('allOff')),
      h('button.primary', { id: 'apply', form: 'faults-form' }, t('apply')))));
  dialog.showModal();
}

// The accounts: which one is shown, and the form of their settings.
import { h, $, arrange } from './dom.js';
import { t, language, inLanguage } from './words.js';
import { call } from './call.js';

// drawAccounts shows the accounts to choose from; unread(appID) says whether one has news, choose(appID) shows it.
export function drawAccounts(accounts, current, unread, choose) {
  arrange($('accounts'), accounts.map(a => {
    const news = unread(a.appID);
    return { key: a.appID, state: [language, a.originalID, a.gateway, a.appID === current, news].join(), a, news };
  }), ({ a, news }) => h('button', {
    type: 'button', title: [a.appID, a.gateway].filter(Boolean).join('\n'), 'aria-pressed': String(a.appID === current), onclick: () => choose(a.appID),
  }, h('span.avatar.account', { 'aria-hidden': 'true' }, '公'), h('span', {}, a.originalID), news && h('span.unread', { role: 'img', 'aria-label': t('unread') }, '•')));
}

// The form's fields: the name in the platform's JSON, the words, whether it is a secret.
const fields = [
  ['gateway', 'callbackURL'], ['app_id', 'appID'], ['original_id', 'originalID'], ['mode', 'mode'], ['web_domain', 'webDomain'],
  ['token', 'token', true], ['aes_key', 'aesKey', true], ['app_secret', 'appSecret', true],
];
const modes = ['plain', 'compat', 'safe'];

// settings opens the form for an account, or for a new one where there is none. saved(appID, accounts) is called at the
// end.
export function settings(account, saved) {
  const known = { gateway: account?.gateway ?? '', app_id: account?.appID ?? '', original_id: account?.originalID ?? '', mode: account?.mode ?? 'safe', web_domain: account?.webDomain ?? '' };
  const inputs = {}, wrongs = {};
  $('account-title').textContent = t(account ? 'settings' : 'newAccount');
  $('account-fields').replaceChildren(...fields.map(([name, words, secret]) => {
    const wrong = wrongs[name] = h('small.wrong', { id: `account-${name}-wrong`, hidden: true });
    const about = { id: `account-${name}`, 'aria-describedby': wrong.id, readOnly: name === 'app_id' && !!account };
    inputs[name] = name === 'mode'
      ? h('select', about, ...modes.map(m => h('option', { value: m, selected: m === known.mode }, t('modes')[m])))
      : h('input', { ...about, type: secret ? 'password' : 'text', value: known[name] ?? '', autocomplete: secret ? 'new-password' : 'off', spellcheck: 'false',
        placeholder: secret ? account ? t('unchanged') : '' : t('example')[name] });
    return h('div.field', {}, h('label', { for: about.id }, t(words)), inputs[name], wrong);
  }));
  const say = (problem = '', by = {}, checked = '') => {
    for (const [name] of fields) {
      wrongs[name].textContent = by[name] ?? '';
      wrongs[name].hidden = !by[name];
      inputs[name].setAttribute('aria-invalid', String(!!by[name]));
    }
    const general = Object.keys(by).length ? '' : problem;
    $('account-problem').textContent = general;
    $('account-problem').hidden = !general;
    $('account-checked').textContent = checked;
    $('account-checked').hidden = !checked;
    fields.map(([name]) => inputs[name]).find(e => e.getAttribute('aria-invalid') === 'true')?.focus();
  };
  const ask = async path => {
    const said = await call(path, Object.fromEntries(fields.map(([name]) => [name, inputs[name].value.trim()])));
    say(inLanguage(said, 'error'), inLanguage(said, 'fields'), said.error || path === '/fake/accounts' ? '' : t('checked'));
    return said;
  };
  const dialog = $('account');
  say();
  $('account-cancel').onclick = () => dialog.close();
  $('account-check').onclick = () => ask('/fake/accounts/check');
  dialog.querySelector('form').onsubmit = async e => {
    e.preventDefault();
    const said = await ask('/fake/accounts');
    if (said.error) return;
    dialog.close();
    saved(inputs.app_id.value.trim(), said.accounts);
  };
  dialog.showModal();
  inputs.gateway.focus();
}

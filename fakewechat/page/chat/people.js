// The list of all accounts or users, for when they do not fit beside each other: the button that opens it, and its dialog.
import { h, $ } from './dom.js';
import { t } from './words.js';

// watchRow shows a row's button when the row does not fit, and on it how many with news are out of sight.
export function watchRow(row, button) {
  const mark = () => markRow(row, button);
  row.addEventListener('scroll', mark);
  new ResizeObserver(() => {
    showChosen(row);
    mark();
  }).observe(row);
  new MutationObserver(mark).observe(row, { childList: true });
}

// showChosen scrolls a row to the one that is chosen.
export const showChosen = row => row.querySelector('[aria-pressed="true"]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });

function markRow(row, button) {
  button.hidden = row.scrollWidth <= row.clientWidth + 1;
  const seen = row.getBoundingClientRect();
  const away = [...row.children].filter(chip => {
    const box = chip.getBoundingClientRect();
    return chip.querySelector('.unread') && (box.right < seen.left + 12 || box.left > seen.right - 12);
  }).length;
  const badge = button.querySelector('.badge');
  badge.hidden = !away;
  badge.textContent = away || '';
  badge.setAttribute('aria-label', away ? t('unread') : '');
}

// openList lets one be chosen: each has an avatar, a name, details, whether it is shown, whether it has news, and choose().
export function openList(title, all) {
  const dialog = $('people');
  $('people-title').textContent = title;
  $('people-list').replaceChildren(...all.map(one => h('li', {}, h('button', {
    type: 'button', 'aria-pressed': String(one.shown), onclick: () => { dialog.close(); one.choose(); },
  }, one.avatar, h('span.who', {}, h('b', {}, one.name), h('small', {}, one.details.filter(Boolean).join(' · '))),
  one.news && h('span.unread', { role: 'img', 'aria-label': t('unread') }, '•')))));
  $('people-close').onclick = () => dialog.close();
  dialog.showModal();
  const chosen = dialog.querySelector('[aria-pressed="true"]');
  chosen?.scrollIntoView({ block: 'nearest' });
  chosen?.focus();
}

// What a gateway that debugs tells of an attempt: the message as protobuf, the rule, and where the time went.
import { h } from './dom.js';
import { t } from './words.js';

// trace makes that part of an attempt; undefined where the gateway tells nothing.
export function trace(told) {
  if (!told) return undefined;
  const words = t('trace');
  const { message, outcome } = told;
  return h('section.trace', {},
    h('h4', {}, words.title, h('span.tag', {}, outcome)),
    message ? h('dl', {}, ...facts(told, words)) : h('p.hint', {}, words.refused(outcome)),
    h('div.hops', {}, ...(told.hops ?? []).map(one => hop(one, told.us, words))),
    message && h('details', {}, h('summary', {}, words.message, h('span.tag', {}, 'wechat.v1.Message')),
      h('pre', { tabindex: '0' }, typeof message === 'string' ? message : JSON.stringify(message, null, 2))));
}

// facts are what the replier tells; one that is not wxgate's tells nothing.
function facts({ replier }, words) {
  if (!replier) return [h('dt', {}, words.rule), h('dd', {}, words.untold)];
  const { rule, file, line, outcome, attempt, failed } = replier;
  const how = [words.outcome[outcome] ?? outcome, attempt > 1 && words.again(attempt)].filter(Boolean);
  return [
    h('dt', {}, words.rule), h('dd', {}, rule ? [rule, ' ', file && h('code', {}, `${file}:${line}`)] : attempt ? words.noRule : words.notAgain),
    ...how.flatMap(one => [h('dt', {}, words.how), h('dd', {}, one)]),
    ...(failed ?? []).flatMap(one => [h('dt', {}, words.failed), h('dd', {}, one)]),
  ];
}

// hop draws when a hop was, on a line as long as the whole.
function hop({ name, to, from_us: from, us }, whole, words) {
  const percent = n => `${Math.max(0, Math.min(100, n / Math.max(whole, 1) * 100))}%`;
  const bar = h('div.bar.good');
  bar.style.marginLeft = `min(${percent(from)}, 100% - 4px)`;
  bar.style.width = percent(us);
  const deep = { rules: '.deep', fetch: '.deep', forward: '.deeper' }[name] ?? '';
  return h('div.row', {}, h(`span${deep}`, {}, [words.hop[name] ?? name, to].filter(Boolean).join(' ')),
    h('div.track', {}, bar), h('span', {}, t('ms')((us / 1000).toFixed(us < 1e5 ? 2 : 0))));
}

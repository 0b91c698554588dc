// What is wrong with the gateway, as it says itself: a rules file that it rejects, a neighbour that it does not reach.
import { h, $, arrange } from './dom.js';
import { t, language } from './words.js';

// drawProblems shows each problem; one that a person caused by editing a file is said in the page's language.
export function drawProblems(problems) {
  $('problems').hidden = !problems.length;
  const known = t('problem');
  arrange($('problems'), problems.map(p => ({ key: p.name, state: [language, p.text].join(), p })), ({ p: { name, text } }) => {
    const [, why] = /^rejected; keeping the previous version: (.*)$/s.exec(text) ?? [];
    return h('li', {}, h('b', {}, why ? (known[name] ?? known.file(name)) : name), ' ', h('code', {}, why ?? text));
  });
}

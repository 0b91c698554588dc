// What a line of the chat looks like: a bubble, a card, or a word in the middle.
import { h, rich, anchor, address } from './dom.js';
import { t } from './words.js';

// valuesOf returns fields by name, alike for callbacks, passive replies and customer-service messages:
// "Image.MediaId" and "media_id" are both mediaid. The first of a name counts.
export function valuesOf(fields) {
  const values = {};
  for (const f of fields ?? []) {
    const name = f.name.toLowerCase().replace(/^(image|voice|video|music|transinfo)\./, '').replaceAll('_', '');
    values[name] ??= f.value;
  }
  return values;
}

// answered is the attempt whose answer counts: the first that has one, else the last.
export const answered = line => line.attempts?.find(a => !a.running && a.status) ?? line.attempts?.at(-1);

// failedLine says whether the user reads that the service failed.
export const failedLine = line => line.done && (line.refused?.length ?? 0) > 0;

// repliedLine says whether the user reads a passive reply.
export function repliedLine(line) {
  const a = answered(line);
  return !!a && !a.running && !a.refused?.length && !!a.fields?.length && !a.hidden;
}

// hiddenLine reports whether WeChat takes the reply and shows it to nobody.
export const hiddenLine = line => !!answered(line)?.hidden;

// saidBy makes what a user's callback shows.
export function saidBy(line) {
  if (!line.fields?.length) return h('div.bubble.card', {}, h('b', {}, t('broken')));
  const v = valuesOf(line.fields);
  if (v.msgtype !== 'event') return bubble(v, false);
  const event = (v.event ?? '').toLowerCase();
  const words = t('event');
  switch (event) {
    case 'subscribe': return notice(words.subscribe((v.eventkey ?? '').replace(/^qrscene_/, '')));
    case 'location': return notice(words.location(`${v.latitude}, ${v.longitude}`));
    case 'unsubscribe': case 'scan': case 'click': case 'view': return notice(words[event](v.eventkey ?? ''));
  }
  return notice(words.other([v.event, v.eventkey].filter(Boolean).join(' ')));
}

export const notice = (...text) => h('div.notice', {}, ...text);

// bubble makes a message's content, byAccount or by the user.
export function bubble(v, byAccount) {
  switch (v.msgtype) {
    case 'text': return h('div.bubble.text', {}, ...rich(v.content ?? '', byAccount));
    case 'image': return picture(v.picurl, v.mediaid);
    case 'voice': return h('div.bubble.voice', {}, h('span.icon', {}, '🔊'), media('voice', v.mediaid), v.recognition && h('p', {}, v.recognition));
    case 'video': case 'shortvideo':
      return h('div.bubble.media', {}, h('div.still', {}, '▶'), v.title && h('b', {}, v.title), v.description && h('p', {}, v.description), media(v.msgtype, v.mediaid));
    case 'music':
      return h('div.bubble.card.music', {}, h('div', {}, anchor(v.musicurl ?? '', h('b', {}, v.title || t('music'))), v.description && h('p', {}, v.description)), h('span.icon', {}, '🎵'));
    case 'location':
      return h('div.bubble.card.place', {}, h('b', {}, v.label || t('location')), h('p', {}, `${v.locationx}, ${v.locationy}`), h('div.map', { role: 'img', 'aria-label': t('location') }, '📍'));
    case 'link':
      return h('div.bubble.card', {}, anchor(v.url ?? '', h('b', {}, v.title || t('link'))), h('p', {}, v.description ?? ''), h('small', {}, v.url ?? ''));
    case 'file': return h('div.bubble.card', {}, h('b', {}, v.title || t('file')), h('small', {}, v.filekey ?? ''));
    case 'device_text': case 'device_event': return h('div.bubble.card', {}, h('b', {}, t('device')), h('small', {}, v.deviceid ?? ''));
    case 'news': return news(v);
    case 'msgmenu': return menu(v);
    case 'transfercustomerservice': case 'transfer_customer_service':
      return notice([t('transfer'), v.kfaccount].filter(Boolean).join(' · '));
    case 'wxcard': return h('div.bubble.card', {}, h('b', {}, t('card')), h('small', {}, v.cardid ?? ''));
    case 'mpnews': case 'mpnewsarticle': return h('div.bubble.card', {}, h('b', {}, t('news')), h('small', {}, v.mediaid ?? v.articleid ?? ''));
    case 'miniprogrampage': return h('div.bubble.card', {}, h('b', {}, v.title), h('p', {}, t('miniprogram')), h('small', {}, v.pagepath ?? ''));
  }
  return h('div.bubble.card', {}, h('b', {}, t('unknown')), h('small', {}, v.msgtype ?? ''));
}

const media = (kind, id) => h('span.id', {}, t(kind), id && h('small', {}, id));

// madeUp are the addresses of our own examples: nothing is there.
const madeUp = /^https?:\/\/mmbiz\.qpic\.cn\/mmbiz_\w+\/fake\//i;

// photo makes a picture of an http or https address, as WeChat does; without one, or if it does not load, a frame in its
// place, which says why.
function photo(url, label) {
  const still = why => h('div.still', { title: url }, '🖼', why && h('small', {}, why));
  const from = address(url ?? '');
  if (!url || madeUp.test(url)) return still();
  if (!/^https?:/i.test(from ?? '')) return still(t('noPicture'));
  return h('img', { src: from, alt: label, loading: 'lazy', onerror: e => e.target.replaceWith(still(t('notLoaded')(new URL(from).origin))) });
}

function picture(url, id) {
  return h('div.bubble.media', {}, photo(url, t('image')), media('image', id));
}

function news(v) {
  const articles = [];
  for (let i = 0; v[`articles[${i}].title`] !== undefined || v[`articles[${i}].url`] !== undefined; i++) {
    const at = name => v[`articles[${i}].${name}`] ?? '';
    articles.push(h(i ? 'div.article.more' : 'div.article', {},
      photo(at('picurl'), at('title')), h('div', {}, anchor(at('url'), h('b', {}, at('title') || t('news'))), i === 0 && at('description') && h('p', {}, at('description')))));
  }
  return h('div.bubble.card.news', {}, ...articles);
}

function menu(v) {
  const items = [];
  for (let i = 0; v[`list[${i}].id`] !== undefined; i++) {
    const content = v[`list[${i}].content`] ?? '';
    items.push(h('li', {}, anchor('weixin://bizmsgmenu?' + new URLSearchParams({ msgmenucontent: content, msgmenuid: v[`list[${i}].id`] }), content)));
  }
  return h('div.bubble.text', {}, v.headcontent, h('ul', {}, ...items), v.tailcontent);
}

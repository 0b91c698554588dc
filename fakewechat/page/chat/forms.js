// A form for every kind of message and event, made of what the platform says about them; a callback as XML; taps on a
// menu message. A page has send(body), which returns what is wrong, "" for nothing, toast(text), account and user.
import { h, $ } from './dom.js';
import { t } from './words.js';
import { call } from './call.js';
import { openForm, problem } from './compose.js';

// examples are what stands in a field at first, by the field's name; what stays empty is not sent.
const examples = {
  content: 'hello', pic_url: 'https://mmbiz.qpic.cn/mmbiz_jpg/fake/0', media_id: 'fakeMediaId_01', media_id_16k: 'fakeMediaId16K_01',
  format: 'amr', thumb_media_id: 'fakeThumbMediaId_01', thumb_url: 'https://mmbiz.qpic.cn/mmbiz_png/fake/0', location_x: '23.134521',
  location_y: '113.358800', scale: '16', label: '广州塔', poiname: '广州塔', latitude: '31.230416', longitude: '121.473701', precision: '65.000000',
  title: '示例标题', description: '示例描述', url: 'https://example.com/a?b=1&c=2', file_key: 'fakeFileKey_01',
  file_md5: '9e107d9d372bb6826bd81d3542a419d6', file_total_len: '20480', page_path: 'pages/index/index', appid: 'wx0123456789abcdef',
  openid: 'oFakeUser000000000000000002', unionid: 'uFakeUnion0000000000000001', revoke_info: '301', ticket: 'gQFakeTicket01', menu_id: '430000001',
  scan_type: 'qrcode', scan_result: 'https://example.com/q?id=7', count: '1', pic_md5_sum: '0cc175b9c0f1b6a831c399e269772661',
  session_from: 'fake', msg_id: '1900000000000000001', total_count: '100', filter_count: '80', sent_count: '75', error_count: '5',
  article_idx: '1', article_url: 'https://mp.weixin.qq.com/s/fake', publish_id: '2247500001', publish_status: '0', article_id: 'fakeArticleId',
  template_id: 'fakeTemplateId_01', subscribe_status_string: 'accept', popup_scene: '1', error_code: '0', error_status: 'success',
  kf_account: 'agent1@gh_fake', from_kf_account: 'agent1@gh_fake', to_kf_account: 'agent2@gh_fake', fail_reason: '示例原因', reason: '示例原因',
  debug_str: 'hello', trace_id: 'fake-trace', isrisky: '0', status_code: '0', card_id: 'pFakeCard0000000000000001', user_card_code: '100200300400',
  friend_user_name: 'oFakeUser000000000000000002', is_give_by_friend: '0', outer_str: 'shop-1', consume_source: 'FROM_API', trans_id: '4200000000202601010000000001',
  fee: '1', original_fee: '2', modify_bonus: '5', modify_balance: '0', order_id: 'fakeOrder_01', page_id: 'fakePage_01', uuid: '11111111-2222-3333-4444-555555555555',
  major: '10001', minor: '20002', distance: '0.300', key_standard: 'ean13', key_str: '6900000000007', poi_id: '100000001', audit_id: '1', expire_time: '0',
};

// special are the examples of one kind.
const special = {
  subscribe: { event_key: 'qrscene_campaign-42' }, SCAN: { event_key: 'campaign-42' }, CLICK: { event_key: 'V1_HELP' },
  VIEW: { event_key: 'https://example.com/' }, view_miniprogram: { event_key: 'pages/index/index' },
  scancode_push: { event_key: 'rselfmenu_0_0' }, scancode_waitmsg: { event_key: 'rselfmenu_0_1' }, pic_sysphoto: { event_key: 'rselfmenu_1_0' },
  pic_photo_or_album: { event_key: 'rselfmenu_1_1' }, pic_weixin: { event_key: 'rselfmenu_1_2' }, location_select: { event_key: 'rselfmenu_2_0' },
  TEMPLATESENDJOBFINISH: { status: 'success' }, MASSSENDJOBFINISH: { status: 'send success' },
};

const example = (name, kind) => special[kind]?.[name] ?? examples[name] ?? (name.endsWith('_time') ? String(Math.floor(Date.now() / 1000)) : '');

// A part of a form is its nodes, and value(), which is undefined where nothing is filled in.

function group(fields, kind) {
  const parts = fields.map(f => [f, f.repeated ? several(f, kind) : one(f, kind)]);
  return {
    nodes: parts.flatMap(([, part]) => part.nodes),
    value: () => {
      const filled = parts.map(([f, part]) => [f.name, part.value()]).filter(([, v]) => v !== undefined);
      return filled.length ? Object.fromEntries(filled) : undefined;
    },
  };
}

function one(field, kind) {
  if (field.type === 'message') {
    const inside = group(field.fields ?? [], kind);
    return {
      nodes: field.element ? [h('fieldset', {}, h('legend', {}, field.element), ...inside.nodes)] : inside.nodes,
      value: () => inside.value() ?? (field.kind ? {} : undefined),
    };
  }
  const input = inputOf(field, kind);
  return {
    nodes: [h('label', {}, h('span', {}, field.element), input)],
    value: () => input.value === '' ? undefined : field.type === 'bool' ? input.value === 'true' : input.value,
  };
}

function inputOf(field, kind) {
  if (field.type === 'bool') return h('select', {}, ...['', 'true', 'false'].map(v => h('option', { value: v }, v || '—')));
  const value = example(field.name, kind);
  if (field.type === 'number') return h('input', { value, inputmode: 'numeric', pattern: '-?[0-9]+', title: t('number') });
  if (field.name !== 'content') return h('input', { value });
  const area = h('textarea', { rows: '2' });
  area.value = value;
  return area;
}

function several(field, kind) {
  const items = [];
  const list = h('div.items');
  const add = () => {
    const part = field.type === 'message' ? group(field.fields ?? [], kind) : one(field, kind);
    const node = h('div.item', { role: 'group', 'aria-label': field.element }, h('div', {}, ...part.nodes), h('button.round', {
      type: 'button', 'aria-label': t('remove')(field.element), title: t('remove')(field.element),
      onclick: () => {
        items.splice(items.findIndex(i => i.node === node), 1);
        node.remove();
        more.focus();
      },
    }, '×'));
    items.push({ node, part });
    list.append(node);
    return node;
  };
  const more = h('button', { type: 'button', onclick: () => add().querySelector('input, textarea, select').focus() }, t('add')(field.element));
  add();
  return {
    nodes: [h('fieldset', {}, h('legend', {}, field.element), list, more)],
    value: () => {
      const values = items.map(i => i.part.value()).filter(v => v !== undefined);
      return values.length ? values : undefined;
    },
  };
}

const elements = fields => (fields ?? []).flatMap(f => [f.element ?? '', ...elements(f.fields)]);
const plain = s => s.toLowerCase().replaceAll('_', '');

let kinds; // what there is, once it was asked for
let last = 0; // the kind that was chosen last

// openKinds opens the form of all kinds.
export async function openKinds(page) {
  kinds ??= await fetch('/fake/kinds').then(answer => answer.json()).then(said => said.kinds.map(k => ({ ...k, words: plain([k.name, ...elements(k.fields)].join(' ')) })), () => undefined);
  if (!kinds) {
    page.toast(t('offline'));
    return;
  }
  const name = h('h3', { id: 'kind-name' }), fields = h('div', { id: 'kind-fields' });
  const list = h('select', { id: 'kind', size: '8', onchange: () => show(Number(list.value)) });
  let form;
  const show = i => {
    last = i;
    form = group(kinds[i].fields, kinds[i].name);
    name.textContent = kinds[i].name;
    fields.replaceChildren(...form.nodes);
    fields.scrollTop = 0;
  };
  const find = text => {
    const options = event => kinds.map((k, i) => [k, i]).filter(([k]) => k.event === event && k.words.includes(plain(text.trim())))
      .map(([k, i]) => h('option', { value: String(i), selected: i === last }, k.name));
    const groups = [['messages', options(false)], ['events', options(true)]].filter(([, found]) => found.length);
    list.replaceChildren(...groups.map(([name, found]) => h('optgroup', { label: t(name) }, ...found)));
    if (list.selectedIndex < 0) list.selectedIndex = 0;
    if (list.value !== '' && (!form || Number(list.value) !== last)) show(Number(list.value));
  };
  const search = h('input', {
    id: 'kind-search', type: 'search', oninput: () => find(search.value),
    onkeydown: e => {
      if (e.key !== 'Enter' && e.key !== 'ArrowDown' || e.isComposing) return;
      e.preventDefault(); // Enter finds, and does not send
      list.focus();
    },
  });
  find('');
  const body = () => ({ account: page.account, user: page.user, message: form.value() });
  openForm(t('anyKind'), [
    h('div.kinds', {},
      h('div', {}, h('label', {}, h('span', {}, t('search')), search), h('label', {}, h('span', {}, t('kind')), list)),
      h('div', {}, name, h('p.hint', {}, t('leftOut')), fields)),
  ], () => page.send(body()), h('button', {
    type: 'button', id: 'as-xml', onclick: async () => {
      if (!fields.closest('form').reportValidity()) return;
      const said = await call('/fake/xml', body());
      problem(said.error || said.problem);
      if (said.xml) editXML(page, page.account, page.user, said.xml);
    },
  }, t('asXML')));
}

// editXML opens a callback of an account's user as XML: a new one, with a MsgId and a time of its own. What is not XML is
// sent by a button of its own.
export async function editXML(page, account, user, xml) {
  const renewed = await call('/fake/xml', { xml, new: true });
  const text = h('textarea.code', { rows: '14', spellcheck: 'false', oninput: () => { clearTimeout(later); later = setTimeout(check, 300); } });
  const note = h('p.hint', { id: 'sent-before', role: 'status', hidden: true }, t('sentBefore'));
  text.value = renewed.xml || xml;
  let later, asked = 0;
  const check = async () => {
    const mine = ++asked;
    const said = await call('/fake/xml', { xml: text.value });
    if (mine === asked && text.isConnected) {
      problem(said.error || said.problem);
      note.hidden = !said.sent;
      anyway.hidden = !said.problem || !text.value;
    }
    return said.error || said.problem;
  };
  const anyway = h('button', {
    type: 'button', id: 'anyway', hidden: true, onclick: async () => {
      const wrong = await page.send({ account, user, xml: text.value });
      problem(wrong);
      if (!wrong) $('form').close();
    },
  }, t('anyway'));
  openForm(t('edit'), [h('label', {}, h('span', {}, t('field').xml), text), note], async () => await check() || page.send({ xml: text.value }), anyway);
}

// tapMenu sends what a tap on an item or a link of a menu message says, as WeChat does.
export function tapMenu(page, e) {
  const link = e.target.closest('a[href^="weixin://bizmsgmenu?"]');
  if (!link) return;
  e.preventDefault();
  const said = new URL(link.href).searchParams;
  page.send({ account: page.account, user: page.user, message: { text: { content: said.get('msgmenucontent') ?? '', bizmsgmenuid: said.get('msgmenuid') ?? '' } } });
}

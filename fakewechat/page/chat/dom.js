// Elements made of text: nothing that came over the wire is ever read as markup.

// h makes an element: "tag.class.class", its properties or attributes, its children.
export function h(what, props = {}, ...children) {
  const [tag, ...classes] = what.split('.');
  const e = document.createElement(tag);
  e.classList.add(...classes);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === false) continue;
    if (name.startsWith('on')) e.addEventListener(name.slice(2), value);
    else if (name in e && typeof value !== 'string') e[name] = value;
    else e.setAttribute(name, value);
  }
  e.append(...children.flat().filter(c => c !== undefined && c !== null && c !== false && c !== ''));
  return e;
}

export const $ = id => document.getElementById(id);

// arrange makes a list's children those of keyed items, keeping what is unchanged so that focus stays where it is.
export function arrange(list, items, make) {
  const keys = new Set(items.map(item => item.key));
  for (const e of [...list.children]) if (!keys.has(e.dataset.key)) e.remove();
  const before = new Map([...list.children].map(e => [e.dataset.key, e]));
  items.forEach((item, i) => {
    let e = before.get(item.key);
    if (!e || e.dataset.state !== item.state) {
      const made = make(item);
      made.dataset.key = item.key;
      made.dataset.state = item.state;
      if (e) {
        const focused = e.contains(document.activeElement);
        e.replaceWith(made);
        if (focused) made.focus();
      }
      e = made;
    }
    if (list.children[i] !== e) list.insertBefore(e, list.children[i] ?? null);
  });
}

const schemes = { 'http:': true, 'https:': true, 'weixin:': true };

// address returns a URL that may be opened, else undefined.
export function address(text) {
  try {
    const url = new URL(text.trim());
    return schemes[url.protocol] ? url.href : undefined;
  } catch {
    return undefined;
  }
}

// anchor makes a link of a URL that may be opened, else text.
export function anchor(url, ...children) {
  const href = address(url);
  if (!href) return h('span.inert', {}, ...children);
  return h('a', { href, target: '_blank', rel: 'noopener noreferrer' }, ...children);
}

// rich returns a text's nodes: addresses are links, and in the account's texts <a href> is one, as in WeChat.
export function rich(text, byAccount) {
  const nodes = [];
  const plain = s => {
    let end = 0;
    for (const m of s.matchAll(/https?:\/\/[\w\-.~:/?#[\]@!$&()*+,;=%]+/g)) {
      nodes.push(s.slice(end, m.index), anchor(m[0], m[0]));
      end = m.index + m[0].length;
    }
    nodes.push(s.slice(end));
  };
  let end = 0;
  if (byAccount) {
    for (const m of text.matchAll(/<a\s([^<>]*)>([^<]*)<\/a>/gi)) {
      const href = /(?:^|\s)href\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))/i.exec(m[1]);
      plain(text.slice(end, m.index));
      nodes.push(anchor(href ? href[1] ?? href[2] ?? href[3] : '', m[2]));
      end = m.index + m[0].length;
    }
  }
  plain(text.slice(end));
  return nodes;
}

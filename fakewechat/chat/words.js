// The page's words in its two languages.

const en = {
  title: 'Fake WeChat', log: 'Log', users: 'Users', newUser: 'New user', chat: 'Chat', message: 'Message', send: 'Send',
  more: 'More to send', inspector: 'What happened', close: 'Close', cancel: 'Cancel', user: n => `User ${n}`,
  account: 'Official account', typing: 'The account is typing…', pushed: 'customer service', elsewhere: 'sent by another process',
  waiting: 'waiting for the answer', empty: 'No messages yet', emptyHint: 'Say hello, or follow the account from the + menu.',
  nothing: 'Choose a message to see what WeChat sent, what came back, and what it would refuse.',
  offline: 'The platform is away. Trying again…', noGateway: 'no gateway to send to', copied: 'Copied', forgotten: 'This line is forgotten.',
  failed: 'The official account is out of service. Please try again later.',
  image: 'Picture', voice: 'Voice', video: 'Video', shortvideo: 'Short video', music: 'Music', location: 'Location', link: 'Link',
  news: 'Article', card: 'Card', miniprogram: 'Mini program', transfer: 'Handed over to customer service', unknown: 'Unknown message',
  follow: 'Follow', unfollow: 'Unfollow', scan: 'Scan QR', click: 'Menu click', view: 'Menu link', report: 'Report position', xml: 'XML',
  event: {
    subscribe: k => k ? `Followed the account (QR scene ${k})` : 'Followed the account', unsubscribe: () => 'Unfollowed the account',
    scan: k => `Scanned a QR code (scene ${k})`, click: k => `Tapped the menu (${k})`, view: k => `Opened a menu link (${k})`,
    location: k => `Reported a position (${k})`, other: k => `Event ${k}`,
  },
  field: {
    picUrl: 'Picture URL', recognition: 'Recognised speech', latitude: 'Latitude', longitude: 'Longitude', label: 'Label', url: 'URL',
    title: 'Title', description: 'Description', scene: 'QR scene', key: 'Key', xml: 'XML of the callback', optional: 'optional',
  },
  attempts: 'Attempts', attempt: n => `Attempt ${n}`, running: 'waiting', refusedBy: 'WeChat would refuse it', accepted: 'WeChat would accept it',
  saysNothing: 'success: nothing to say', checks: 'Checks', signedURL: 'Signed URL', callback: 'Callback XML', sentBody: 'Body as sent',
  sealed: 'sealed', plain: 'plain', received: 'Answer as received', opened: 'Reply, opened', reply: 'Reply', calls: 'API calls since then',
  noCalls: 'None', again: 'Send again', edit: 'Edit XML', copySend: 'Copy as wxgate send', copyCurl: 'Copy as curl', noAnswer: 'no answer',
  elsewhereHint: 'Another process sent this callback, and it alone saw the answer. What the account pushes shows here.',
  pushedHint: 'The account sent this by /cgi-bin/message/custom/send.', seconds: n => `${n} s`, ms: n => `${n} ms`, copy: 'copy', broken: 'This is not XML that ends with </xml>.',
  trace: {
    title: 'In the gateway', rule: 'Rule', how: 'Answer', failed: 'Failed', message: 'Message as protobuf', noRule: 'none', notAgain: 'not asked again', untold: 'the replier does not tell',
    refused: why => `The gateway refused it: ${why}.`,
    again: n => `of the work that an earlier attempt began; this one is number ${n}`,
    hop: { open: 'check, open, decode', replier: 'call the replier', rules: 'rules', forward: 'forward to', fetch: 'fetch the answer', store: 'store', seal: 'encode, seal' },
    outcome: {
      reply: '', silent: 'none: the rule says nothing', no_rule: 'none: no rule matches', fetched: 'to an earlier message, which waited for this one',
      deferred: 'not ready in time: the message is stored, and answered later', hold: 'not ready in time: WeChat is to send the message again', dropped: 'not ready in time: dropped',
      given_up: 'none in time, and none will come', failed: 'none: the replier failed, see its log',
    },
  },
};

const zh = {
  title: '模拟微信', log: '日志', users: '用户', newUser: '新用户', chat: '聊天', message: '消息', send: '发送',
  more: '更多', inspector: '经过', close: '关闭', cancel: '取消', user: n => `用户 ${n}`,
  account: '公众号', typing: '对方正在输入…', pushed: '客服消息', elsewhere: '由其他进程发送',
  waiting: '等待回复', empty: '还没有消息', emptyHint: '打个招呼，或从 + 菜单关注公众号。',
  nothing: '选择一条消息，查看微信发出了什么、收到了什么、会拒绝什么。',
  offline: '模拟平台已断开，正在重连…', noGateway: '没有可发送的网关', copied: '已复制', forgotten: '这条记录已被清除。',
  failed: null, // the platform's own line
  image: '图片', voice: '语音', video: '视频', shortvideo: '小视频', music: '音乐', location: '位置', link: '链接',
  news: '图文', card: '卡券', miniprogram: '小程序', transfer: '已转接客服', unknown: '未知消息',
  follow: '关注', unfollow: '取消关注', scan: '扫二维码', click: '菜单点击', view: '菜单链接', report: '上报位置', xml: 'XML',
  event: {
    subscribe: k => k ? `关注了公众号（二维码场景 ${k}）` : '关注了公众号', unsubscribe: () => '取消关注了公众号',
    scan: k => `扫描了二维码（场景 ${k}）`, click: k => `点击了菜单（${k}）`, view: k => `打开了菜单链接（${k}）`,
    location: k => `上报了位置（${k}）`, other: k => `事件 ${k}`,
  },
  field: {
    picUrl: '图片 URL', recognition: '语音识别结果', latitude: '纬度', longitude: '经度', label: '地点', url: 'URL',
    title: '标题', description: '描述', scene: '二维码场景值', key: 'Key', xml: '回调的 XML', optional: '可选',
  },
  attempts: '推送', attempt: n => `第 ${n} 次`, running: '等待中', refusedBy: '微信会拒绝', accepted: '微信会接受',
  saysNothing: 'success：不回复', checks: '检查', signedURL: '带签名的 URL', callback: '回调 XML', sentBody: '发送的内容',
  sealed: '密文', plain: '明文', received: '收到的应答', opened: '解密后的回复', reply: '回复', calls: '此后的接口调用',
  noCalls: '无', again: '再次发送', edit: '编辑 XML', copySend: '复制为 wxgate send', copyCurl: '复制为 curl', noAnswer: '没有应答',
  elsewhereHint: '这条回调由其他进程发送，只有它看到了应答。公众号之后推送的消息会显示在这里。',
  pushedHint: '公众号通过 /cgi-bin/message/custom/send 发送。', seconds: n => `${n} 秒`, ms: n => `${n} 毫秒`, copy: '副本', broken: '这不是以 </xml> 结尾的 XML。',
  trace: {
    title: '网关里', rule: '规则', how: '回答', failed: '失败', message: 'protobuf 消息', noRule: '无', notAgain: '不再询问', untold: 'replier 没有说明',
    refused: why => `网关拒绝了它：${why}。`,
    again: n => `取自前一次推送开始的处理；这是第 ${n} 次`,
    hop: { open: '验签、解密、解析', replier: '调用 replier', rules: '规则', forward: '转发到', fetch: '取回答', store: '存储', seal: '编码、加密' },
    outcome: {
      reply: '', silent: '无：规则不回复', no_rule: '无：没有匹配的规则', fetched: '是对之前某条消息的，等到这条消息才发出',
      deferred: '没有及时准备好：消息已存下，稍后回答', hold: '没有及时准备好：让微信重发这条消息', dropped: '没有及时准备好：丢弃',
      given_up: '没有及时准备好，也不会再有', failed: '无：replier 出错，见它的日志',
    },
  },
};

const languages = { en, zh };
export let language = 'en';

// t returns the words of that name in the page's language.
export const t = name => languages[language][name];

// choose begins with the language that was chosen before, or the browser's.
export function choose(wanted) {
  const before = localStorage.getItem('language');
  language = languages[wanted] ? wanted : languages[before] ? before : /^zh/i.test(navigator.language) ? 'zh' : 'en';
  if (wanted) localStorage.setItem('language', language);
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
  document.title = t('title');
  for (const [attribute, put] of [
    ['t', (e, s) => { e.textContent = s; }], ['tLabel', (e, s) => e.setAttribute('aria-label', s)],
    ['tTitle', (e, s) => { e.title = s; }], ['tPlaceholder', (e, s) => { e.placeholder = s; }],
  ]) {
    const selector = '[data-' + attribute.replace(/[A-Z]/g, c => '-' + c.toLowerCase()) + ']';
    for (const e of document.querySelectorAll(selector)) put(e, t(e.dataset[attribute]));
  }
}

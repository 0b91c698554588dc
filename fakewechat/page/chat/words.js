// The page's words in its two languages.

const en = {
  accounts: 'Accounts', settings: 'Account settings', newAccount: 'Add an account', unread: 'unread', save: 'Save', saved: 'Saved', checkURL: 'Check the URL',
  checked: 'The gateway answered echostr, as WeChat wants it.', unchanged: 'unchanged', callbackURL: 'Callback URL of the gateway', appID: 'AppID', originalID: 'Original id (gh_…)',
  mode: 'Encryption of messages', modes: { plain: 'plain', compat: 'compatible', safe: 'safe' }, token: 'Token', aesKey: 'EncodingAESKey', appSecret: 'AppSecret', webDomain: 'Web authorization domain (empty: any)',
  example: { gateway: 'http://127.0.0.1:8000/', app_id: 'wx…', original_id: 'gh_…', web_domain: 'www.example.com' },
  title: 'Fake WeChat', log: 'Log', users: 'Users', newUser: 'New user', allUsers: 'All users', allAccounts: 'All accounts', chat: 'Chat', message: 'Write a message', send: 'Send',
  more: 'More to send', inspector: 'What happened', close: 'Close', cancel: 'Cancel', user: n => `User ${n}`,
  account: 'Official account', typing: 'The account is typing…', pushed: 'customer service', elsewhere: 'sent by another process',
  waiting: 'waiting for the answer', empty: 'No messages yet', follows: { yes: 'follows', no: 'does not follow' }, left: 'Follow the account to write', emptyHint: 'Say hello, or follow the account from the + menu.',
  problem: { rules: 'The rules file is rejected; the rules from before are still used:', accounts: 'The accounts file is rejected; the accounts from before are still used:', file: name => `${name}: the file is rejected; what it said before is still used:` },
  noPicture: 'not an http address', notLoaded: from => `not loaded from ${from}`,
  nothing: 'Choose a message to see what WeChat sent, what came back, and what it would refuse.',
  offline: 'The platform is away. Trying again…', noGateway: 'No gateway: see ⚙', copied: 'Copied', copiedSend: 'Copied. It takes the token from WECHAT_TOKEN, and the key from WECHAT_AES_KEY.', forgotten: 'This line is forgotten.',
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
  faults: 'Misbehaviour', faultsHint: 'What WeChat does wrong on purpose. The same seed, faults and order of messages give the same again.',
  faultsOn: on => `On: ${on}`, off: 'Off', always: 'Always', percent: 'percent', apply: 'Apply', allOff: 'All off',
  faultGroup: { way: 'On the way', message: 'In the message', api: 'At the API', run: 'The run', once: 'At the API, at once' },
  fault: {
    lose: ['Lost', 'The callback never reaches the gateway; after 5 s WeChat sends it again.'],
    lose_answer: ['Answer lost', 'The gateway’s answer never reaches WeChat.'],
    delay: ['Delay', 'The callback is so long on its way, at most 1m, and WeChat’s 5 s run.'],
    cut: ['Connection cut', 'The connection is cut in the middle of the answer.'],
    retry_early: ['Early retry', 'WeChat gives up before its 5 s, and sends again.'],
    retry_after: ['Early retry after', 'When WeChat gives up for an early retry, at most 5s; 0s is 1s.'],
    twice: ['Sent twice', 'The callback is sent twice at once.'],
    same_signature: ['Same signature', 'A retry has timestamp, nonce and signature of the first attempt.'],
    wrong_signature: ['Wrong signature', 'The signature is that of another token.'],
    clock: ['Clock', 'WeChat’s clock is so far ahead; below 0, behind.'],
    duplicate: ['Sent again', 'The callback comes once more after its answer.'],
    out_of_order: ['Out of order', 'The callback waits until the user’s next one was sent, 5 s at most.'],
    control_characters: ['Control character', 'The callback’s text has one in it.'],
    broken_cdata: ['Broken CDATA', 'The CDATA of the callback’s text ends too early, or not at all.'],
    unknown_type: ['Unknown type', 'The callback has a MsgType, or an Event, that nobody knows.'],
    api_errors: ['Error codes', 'Calls of the API fail with an errcode; together at most 100 %.'],
    api_delay: ['Late answer', 'The call is done, and the answer is late, at most 1m.'],
    api_half: ['Half an answer', 'The call is done, and half of the answer arrives.'],
    api_html: ['502', 'The call is not done: status 502 and an HTML page.'],
    api_reset: ['Connection reset', 'The call is not done: the connection is reset.'],
    seed: ['Seed', 'Applying begins a run; 0: a seed is made up.'],
  },
  faultWrong: {
    rate: () => 'It must be from 0 to 100.', duration: (least, most) => `It must be a duration from ${least} to ${most}, such as 300ms.`,
    seed: () => 'It must be an integer from 0 to 9007199254740991.', errcode: () => 'An errcode is an integer and not 0.',
    together: () => 'Together they must not be more than 100 %.', twice: () => 'An errcode occurs twice.',
  },
  errcode: 'errcode', addErrcode: 'Add an errcode', path: 'Path', times: 'Calls', failNext: 'Let the next calls fail', failing: 'They will fail.',
  expireToken: 'Expire the access_token', expired: 'The access_token is expired: 42001.',
  attempts: 'Attempts', attempt: n => `Attempt ${n}`, running: 'waiting', refusedBy: 'WeChat would refuse it', accepted: 'WeChat would accept it', notShown: 'Accepted, but not shown',
  saysNothing: 'success: nothing to say', checks: 'Checks', signedURL: 'Signed URL', callback: 'Callback XML', sentBody: 'Body as sent',
  sealed: 'sealed', plain: 'plain', received: 'Answer as received', opened: 'Reply, opened', reply: 'Reply', calls: 'API calls since then',
  noCalls: 'None', again: 'Send again', retry: 'Send as a retry', edit: 'Edit XML',
  hints: { again: 'A new message, with a MsgId and a time of its own', retry: 'The same bytes, as WeChat repeats them: the gateway may answer as before, and not ask again' },
  sentBefore: 'A message with this MsgId was sent before: the gateway takes this one for a retry, and may answer as before.', copySend: 'Copy as wxgate send', copyCurl: 'Copy as curl', noAnswer: 'no answer',
  elsewhereHint: 'Another process sent this callback, and it alone saw the answer. What the account pushes shows here.',
  pushedHint: 'The account sent this by /cgi-bin/message/custom/send.', seconds: n => `${n} s`, ms: n => `${n} ms`, copy: 'copy',
  kinds: 'More kinds…', anyKind: 'Any message or event', kind: 'Kind', search: 'Search by name or element', messages: 'Messages', events: 'Events', asXML: 'As XML', anyway: 'Send anyway', tooMuch: (n, most) => `Too long to send: ${n} bytes, and ${most} are the most.`,
  add: e => `Add ${e}`, remove: e => `Remove ${e}`, number: 'An integer', leftOut: 'What stays empty is left out.', broken: 'Broken XML',
  file: 'File', device: 'Device message', tooLong: 'Too long to copy.', copiedCurl: 'Copied. A gateway takes it for 5 minutes: its time is signed.',
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
  accounts: '公众号', settings: '公众号设置', newAccount: '添加公众号', unread: '未读', save: '保存', saved: '已保存', checkURL: '验证 URL',
  checked: '网关原样返回了 echostr，符合微信的要求。', unchanged: '不变', callbackURL: '网关的回调 URL', appID: 'AppID', originalID: '原始 ID（gh_…）',
  mode: '消息加解密方式', modes: { plain: '明文模式', compat: '兼容模式', safe: '安全模式' }, token: 'Token（令牌）', aesKey: 'EncodingAESKey（消息加解密密钥）', appSecret: 'AppSecret', webDomain: '网页授权域名（留空：不限）',
  example: { gateway: 'http://127.0.0.1:8000/', app_id: 'wx…', original_id: 'gh_…', web_domain: 'www.example.com' },
  title: '模拟微信', log: '日志', users: '用户', newUser: '新用户', allUsers: '所有用户', allAccounts: '所有公众号', chat: '聊天', message: '写一条消息', send: '发送',
  more: '更多', inspector: '经过', close: '关闭', cancel: '取消', user: n => `用户 ${n}`,
  account: '公众号', typing: '对方正在输入…', pushed: '客服消息', elsewhere: '由其他进程发送',
  waiting: '等待回复', empty: '还没有消息', follows: { yes: '已关注', no: '未关注' }, left: '关注公众号后才能发消息', emptyHint: '打个招呼，或从 + 菜单关注公众号。',
  problem: { rules: '规则文件有误，没有生效，仍在使用之前的规则：', accounts: '公众号文件有误，没有生效，仍在使用之前的公众号：', file: name => `${name}：文件有误，没有生效，仍在使用之前的内容：` },
  noPicture: '不是 http 地址', notLoaded: from => `无法从 ${from} 加载`,
  nothing: '选择一条消息，查看微信发出了什么、收到了什么、会拒绝什么。',
  offline: '模拟平台已断开，正在重连…', noGateway: '没有网关：见 ⚙', copied: '已复制', copiedSend: '已复制。Token 取自 WECHAT_TOKEN，密钥取自 WECHAT_AES_KEY。', forgotten: '这条记录已被清除。',
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
  faults: '故障', faultsHint: '让微信故意出错。种子、故障和消息顺序都相同，结果就相同。',
  faultsOn: on => `已开启：${on}`, off: '关', always: '总是', percent: '百分比', apply: '应用', allOff: '全部关闭',
  faultGroup: { way: '传输途中', message: '消息内容', api: '接口', run: '运行', once: '接口：立即生效' },
  fault: {
    lose: ['丢失', '回调到不了网关；5 秒后微信重发。'],
    lose_answer: ['应答丢失', '网关的应答到不了微信。'],
    delay: ['延迟', '回调在路上这么久，最多 1m，微信的 5 秒照样计时。'],
    cut: ['连接中断', '应答传到一半，连接断开。'],
    retry_early: ['提前重发', '微信不到 5 秒就放弃并重发。'],
    retry_after: ['提前重发前的等待', '提前重发时微信等多久，最多 5s；0s 表示 1s。'],
    twice: ['同时两份', '同一个回调同时发两份。'],
    same_signature: ['签名不变', '重发时沿用第一次的 timestamp、nonce 和签名。'],
    wrong_signature: ['签名错误', '签名用的是别的 token。'],
    clock: ['时钟', '微信的时钟快这么多；负数表示慢。'],
    duplicate: ['重复', '得到应答之后，回调又来一次。'],
    out_of_order: ['乱序', '回调等到同一用户的下一个发出之后再发，最多等 5 秒。'],
    control_characters: ['控制字符', '回调的文字里有一个控制字符。'],
    broken_cdata: ['CDATA 损坏', '回调文字的 CDATA 结束得太早，或者没有结束。'],
    unknown_type: ['未知类型', '回调的 MsgType 或 Event 是没人认识的。'],
    api_errors: ['错误码', '接口调用以某个 errcode 失败；概率合计最多 100 %。'],
    api_delay: ['应答迟到', '调用已执行，应答来得晚，最多 1m。'],
    api_half: ['半个应答', '调用已执行，应答只到一半。'],
    api_html: ['502', '调用没有执行：状态码 502 和一个 HTML 页面。'],
    api_reset: ['连接重置', '调用没有执行：连接被重置。'],
    seed: ['种子', '应用后重新开始一次运行；0 表示自动选一个。'],
  },
  faultWrong: {
    rate: () => '必须在 0 到 100 之间。', duration: (least, most) => `必须是 ${least} 到 ${most} 的时长，例如 300ms。`,
    seed: () => '必须是 0 到 9007199254740991 的整数。', errcode: () => 'errcode 是不为 0 的整数。',
    together: () => '概率合计不能超过 100 %。', twice: () => '有 errcode 出现了两次。',
  },
  errcode: 'errcode', addErrcode: '添加 errcode', path: '路径', times: '次数', failNext: '让接下来的调用失败', failing: '接下来的调用会失败。',
  expireToken: '让 access_token 过期', expired: 'access_token 已过期：42001。',
  attempts: '推送', attempt: n => `第 ${n} 次`, running: '等待中', refusedBy: '微信会拒绝', accepted: '微信会接受', notShown: '会接受，但不显示',
  saysNothing: 'success：不回复', checks: '检查', signedURL: '带签名的 URL', callback: '回调 XML', sentBody: '发送的内容',
  sealed: '密文', plain: '明文', received: '收到的应答', opened: '解密后的回复', reply: '回复', calls: '此后的接口调用',
  noCalls: '无', again: '再次发送', retry: '作为重试发送', edit: '编辑 XML',
  hints: { again: '作为新消息：MsgId 和时间都是新的', retry: '与微信重试一样，内容逐字节相同：网关可能沿用之前的回答，不再处理' },
  sentBefore: '这个 MsgId 已经发送过：网关会把它当作重试，可能沿用之前的回答。', copySend: '复制为 wxgate send', copyCurl: '复制为 curl', noAnswer: '没有应答',
  elsewhereHint: '这条回调由其他进程发送，只有它看到了应答。公众号之后推送的消息会显示在这里。',
  pushedHint: '公众号通过 /cgi-bin/message/custom/send 发送。', seconds: n => `${n} 秒`, ms: n => `${n} 毫秒`, copy: '副本',
  kinds: '更多类型…', anyKind: '任意消息或事件', kind: '类型', search: '按名称或元素搜索', messages: '消息', events: '事件', asXML: '转为 XML', anyway: '仍然发送', tooMuch: (n, most) => `内容太长，无法发送：${n} 字节，最多 ${most}。`,
  add: e => `添加 ${e}`, remove: e => `删除 ${e}`, number: '整数', leftOut: '留空的字段不会发送。', broken: '损坏的 XML',
  file: '文件', device: '设备消息', tooLong: '内容太长，无法复制。', copiedCurl: '已复制。时间戳有签名，网关在 5 分钟内接受它。',
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

// inLanguage returns what the platform says in English and in Chinese, in the page's language.
export const inLanguage = (of, name) => language === 'zh' ? of[name + 'ZH'] ?? of[name] : of[name];

// choose begins with the language that was chosen before, or the browser's.
export function choose(wanted) {
  const before = localStorage.getItem('language');
  language = languages[wanted] ? wanted : languages[before] ? before : /^zh/i.test(navigator.language) ? 'zh' : 'en';
  if (wanted) localStorage.setItem('language', language);
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
  document.title = t('title');
  for (const [attribute, put] of [
    ['t', (e, s) => { e.textContent = s; }], ['tLabel', (e, s) => e.setAttribute('aria-label', s)],
    ['tTitle', (e, s) => { e.title = s; }],
  ]) {
    const selector = '[data-' + attribute.replace(/[A-Z]/g, c => '-' + c.toLowerCase()) + ']';
    for (const e of document.querySelectorAll(selector)) put(e, t(e.dataset[attribute]));
  }
}

// Calls of the platform.
import { t } from './words.js';

const most = 64 * 1024; // bytes of a body that the platform reads

// call sends a body as JSON and returns what the platform says; its error says why that is nothing.
export async function call(path, body, method = 'POST') {
  const blob = new Blob([JSON.stringify(body)], { type: 'application/json' });
  if (blob.size > most) return { error: t('tooMuch')(blob.size, most) };
  try {
    const answer = await fetch(path, { method, headers: { 'Content-Type': 'application/json' }, body: blob });
    const said = await answer.json();
    return answer.ok ? said : { ...said, error: said.error ?? `HTTP ${answer.status}` };
  } catch {
    return { error: t('offline') };
  }
}

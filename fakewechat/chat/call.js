// Calls of the platform.
import { t } from './words.js';

// call sends a body as JSON and returns what the platform says; its error says why that is nothing.
export async function call(path, body, method = 'POST') {
  try {
    const answer = await fetch(path, { method, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
    const said = await answer.json();
    return answer.ok ? said : { ...said, error: said.error ?? `HTTP ${answer.status}` };
  } catch {
    return { error: t('offline') };
  }
}

import type { ModelProvider } from './model-provider.ts';

/** The rules as they were before they are broken. */
export function bound(m: ModelProvider) {
  return {
    fence: m.fence.bind(m), fenced: m.fenced.bind(m), illegal: m.illegal.bind(m), dispatch: m.dispatch.bind(m), finish: m.finish.bind(m), get: m.get.bind(m),
    list: m.list.bind(m), start: m.start.bind(m), bind: m.bind.bind(m), unbind: m.unbind.bind(m), repeat: m.repeat.bind(m), ack: m.ack.bind(m),
    isRepeat: m.isRepeat.bind(m), shown: m.shown.bind(m), work: m.work.bind(m), fail: m.fail.bind(m), touch: m.touch.bind(m), save: m.save.bind(m),
    isWanted: m.isWanted.bind(m), delta: m.delta.bind(m), cursor: m.cursor.bind(m), page: m.page.bind(m), unknown: m.unknown.bind(m), mint: m.mint.bind(m),
  };
}

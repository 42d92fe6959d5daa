/** Ways to break the engine's rules, one each. `find` is in the file exactly once; with `replace` in its place some test must fail. */
export interface Mutant {
  readonly id: string;
  /** Under src/engine. */
  readonly file: string;
  /** What no longer holds. */
  readonly rule: string;
  readonly find: string;
  readonly replace: string;
  /** It goes round in circles: nobody waiting any longer is how it is noticed. */
  readonly hangs?: true;
}

export const MUTANTS: readonly Mutant[] = [
  {
    id: 'order-priority', file: 'decide/ordered-pass.ts', rule: 'who has the higher precedence chooses first',
    find: 'sort(([a], [b]) => b - a)',
    replace: 'sort(([a], [b]) => a - b)',
  },
  {
    id: 'order-penalties', file: 'facts/need-row.ts', rule: 'at equal priority the higher penalties rank above',
    find: 'return (priority * BUCKETS + interruptionBucket) * BUCKETS + reclamationBucket;',
    replace: 'return priority * BUCKETS * BUCKETS;',
  },
  {
    id: 'order-arrival', file: 'decide/ordered-pass.ts', rule: 'at equal precedence the older demand chooses first',
    find: '(a.arrival < b.arrival ? -1 : a.arrival > b.arrival ? 1 : 0)',
    replace: '0',
  },
  {
    id: 'order-unit-class', file: 'facts/demand.ts', rule: 'of one profile the larger unit chooses first',
    find: 'compareUnitClassDescending(a.need.unitClass, b.need.unitClass)',
    replace: 'compareUnitClassDescending(b.need.unitClass, a.need.unitClass)',
  },
  {
    id: 'credit-first', file: 'decide/ordered-pass.ts', rule: 'what a cluster has is credited before anything is acquired',
    find: 'if (counts === undefined) creditPlain(market, tally);',
    replace: '',
  },
  {
    id: 'credit-configured-first', file: 'facts/pools.ts', rule: 'Configured is credited before Configuring',
    find: 'const order = [stage, disruptable,',
    replace: 'const order = [0, disruptable,',
  },
  {
    id: 'credit-undisruptable-first', file: 'facts/pools.ts', rule: 'what must not be disrupted is credited first',
    find: 'const disruptable = hint?.doNotDisrupt === true || isKept ? 0 : 1;',
    replace: 'const disruptable = 1;',
  },
  {
    id: 'credit-busy-first', file: 'facts/pools.ts', rule: 'busy machines are credited first',
    find: '-cost, ...boundRank(',
    replace: 'cost, ...boundRank(',
  },
  {
    id: 'credit-cheap-first', file: 'facts/pools.ts', rule: 'cheap machines are credited first',
    find: '[cls.priceMicroUsdPerHour, -reclamation]',
    replace: '[-cls.priceMicroUsdPerHour, -reclamation]',
  },
  {
    id: 'credit-promised', file: 'decide/market.ts', rule: 'what was decided for a demand counts for it (D34)',
    find: 'for (const tie of cluster.promised.get(key)?.ties() ?? []) arriving.add(tie);',
    replace: 'void key;',
  },
  {
    id: 'credit-spare', file: 'decide/market.ts', rule: 'what one Need does without is credited to the next of its cluster',
    find: 'for (const tie of this.#spare.get(cluster) ?? []) arriving.add(tie);',
    replace: '',
  },
  {
    id: 'credit-once', file: 'decide/market.ts', rule: 'what was decided counts once',
    find: 'return [...arriving];',
    replace: 'return [...arriving, ...(this.#spare.get(cluster) ?? [])];',
  },
  {
    id: 'acquire-idle-first', file: 'decide/plain.ts', rule: 'Idle precedes Speculative',
    find: 'for (const speculative of [false, true]) {\n    if (tally.covered) return;',
    replace: 'for (const speculative of [true, false]) {\n    if (tally.covered) return;',
  },
  {
    id: 'acquire-no-more', file: 'decide/drain.ts', rule: 'a demand is exceeded by no more than the last machine',
    find: 'const n = Math.min(first.group.left, tally.wants(first.cls));',
    replace: 'const n = first.group.left;',
  },
  {
    id: 'cost-risk', file: 'cost.ts', rule: 'interruptions cost what the penalty says',
    find: 'return machine.priceMicroUsdPerHour + machine.interruptionProbability * upperBoundDollars(bucket) * MICRO_PER_UNIT;',
    replace: 'return machine.priceMicroUsdPerHour;',
  },
  {
    id: 'cost-pinned', file: 'cost.ts', rule: 'with a pinned penalty the probability ranks first (D11)',
    find: 'return [bucket >= PINNED_BUCKET ? machine.interruptionProbability : 0, ',
    replace: 'return [0, ',
  },
  {
    id: 'fit-contributes', file: 'decide/tally.ts', rule: 'a machine that adds nothing is not taken (X20)',
    find: 'if ((this.remaining[i] as number) > 0 && this.amount(cls, i) > 0) return true;',
    replace: 'if (this.amount(cls, i) >= 0) return true;',
    hangs: true,
  },
  {
    id: 'fit-min-unit', file: 'facts/fit.ts', rule: 'a machine must hold the smallest unit',
    find: 'covers(cls.amounts, this.#asker.minDims, this.#asker.minAmounts) && matches',
    replace: 'matches',
  },
  {
    id: 'fit-requirements', file: 'facts/fit.ts', rule: 'a machine must meet the requirements',
    find: ' && matches(this.#asker.profile, cls)',
    replace: '',
  },
  {
    id: 'role-held', file: 'facts/role.ts', rule: 'what a person holds is chosen for nothing',
    find: 'if (hold) return isServing && !stuck ? ROLE.bound : ROLE.held;',
    replace: 'if (hold && isServing && !stuck) return ROLE.bound;',
  },
  {
    id: 'role-stuck', file: 'facts/role.ts', rule: 'what is stuck counts for nobody',
    find: 'if (stuck) return ROLE.stuck;',
    replace: '',
  },
  {
    id: 'gang-whole', file: 'decide/trial.ts', rule: 'a gang is acquired whole or not at all, the limit included',
    find: '    this.#tally.backTo(this.#before);\n',
    replace: '',
  },
  {
    id: 'gang-gives-back', file: 'decide/trial.ts', rule: 'what a gang cannot have in whole it leaves to others',
    find: 'this.#market.giveBack(group, n);',
    replace: '',
  },
  {
    id: 'group-gives-back-nothing', file: 'facts/group.ts', rule: 'giving back nothing changes nothing',
    find: 'if (n === 0) return;',
    replace: 'if (n === 0 && this.#shares !== undefined) this.#shares.pop();',
  },
  {
    id: 'broken-plan', file: 'decide/planner.ts', rule: 'a plan that came to nothing leaves nothing behind',
    find: 'wasBroken ? [...before, [...facts.inventory.slots()]] : before',
    replace: 'before',
  },
  {
    id: 'gang-inside', file: 'decide/same.ts', rule: 'a gang acquires in its domain only',
    find: 'return (_group, cls) => offers.domainOf(cls) === domain;',
    replace: 'return (_group, cls) => offers.domainOf(cls) !== undefined;',
  },
  {
    id: 'gang-rule-1', file: 'decide/gang-domain.ts', rule: 'whole beats not whole',
    find: 'if (whole !== isWholeWithVictims(b, wanted)) return whole ? -1 : 1;',
    replace: '',
  },
  {
    id: 'gang-rule-2', file: 'decide/gang-domain.ts', rule: 'of whole domains the one where it holds more',
    find: 'return -compareCapped(a.creditable, b.creditable, wanted) || -compareCapped(a.own, b.own, wanted);',
    replace: 'return -compareCapped(a.own, b.own, wanted);',
  },
  {
    id: 'gang-rule-3', file: 'decide/gang-domain.ts', rule: 'then the one where it holds more of its own',
    find: 'return -compareCapped(a.creditable, b.creditable, wanted) || -compareCapped(a.own, b.own, wanted);',
    replace: 'return -compareCapped(a.creditable, b.creditable, wanted);',
  },
  {
    id: 'gang-no-victims', file: 'decide/gang-domain.ts', rule: 'then the one that takes from nobody (D7)',
    find: "if (isWhole(offer, wanted)) return 'nothing';",
    replace: '',
  },
  {
    id: 'gang-rule-4', file: 'decide/gang-domain.ts', rule: 'then the one that wastes less',
    find: 'compareSlack(a, b, wanted, used) || ',
    replace: '',
  },
  {
    id: 'gang-sticky', file: 'decide/gang-domain.ts', rule: 'a gang does not move to another incomplete place (D7)',
    find: ': -compareCapped(a.own, b.own, wanted) || -compareCapped(a.creditable, b.creditable, wanted);\n  if',
    replace: ': -compareCapped(a.total, b.total, wanted) || -compareCapped(a.creditable, b.creditable, wanted);\n  if',
  },
  {
    id: 'gang-rule-7', file: 'decide/gang-domain.ts', rule: 'then the one with more machines',
    find: ' || countUsed(b) - countUsed(a)',
    replace: '',
  },
  {
    id: 'gang-excess-first', file: 'decide/gang-domain.ts', rule: 'a gang takes what serves only where nothing that serves nobody makes it whole (X24)',
    find: "return isWholeWith(offer, offer.spare, wanted) ? 'spare' : 'victims';",
    replace: "return 'victims';",
  },
  {
    id: 'gang-least-victims', file: 'decide/gang-domain.ts', rule: 'of two places where it takes what serves, the one where it takes less',
    find: '-compareCapped(sumsOf(a, a.spare), sumsOf(b, b.spare), wanted)',
    replace: '0',
  },
  {
    id: 'gang-untouched', file: 'decide/gang-domain.ts', rule: 'what a gang would not touch is not wasted',
    find: "const used = besides === 'nothing' ? undefined : besides;",
    replace: "const used = 'victims' as const;",
  },
  {
    id: 'gang-coming-spare', file: 'decide/gang-offers.ts', rule: 'what is on its way to nobody is taken before what serves',
    find: "spare: ['excess', 'coming'] };",
    replace: "spare: ['excess'] };",
  },
  {
    id: 'gang-coming-no-victim', file: 'decide/gang-offers.ts', rule: 'a gang is not whole by what is on its way to nobody',
    find: "{ victims: ['excess', 'serving'], ",
    replace: "{ victims: ['excess', 'serving', 'coming'], ",
  },
  {
    id: 'gang-away-places', file: 'decide/same.ts', rule: 'a gang whose cluster is away is told of the places that would hold it',
    find: 'if (!mayAcquire) offers.addFree();',
    replace: '',
  },
  {
    id: 'gang-rule-8', file: 'decide/gang-domain.ts', rule: 'then the smallest value',
    find: 'b.count - a.count) || compareText(a.value, b.value);',
    replace: 'b.count - a.count) || compareText(b.value, a.value);',
  },
  {
    id: 'gang-keeps-elsewhere', file: 'decide/same.ts', rule: 'an incomplete gang keeps its members elsewhere',
    find: 'keepOwn(market, tally, offers, isSomewhere);',
    replace: '',
  },
  {
    id: 'gang-own-first-place', file: 'decide/gang-domain.ts', rule: 'of incomplete places the one with most of its own',
    find: ': -compareCapped(a.own, b.own, wanted) || -compareCapped(a.creditable',
    replace: ': -compareCapped(a.creditable',
  },
  {
    id: 'gang-stays', file: 'decide/gang-domain.ts', rule: 'what is free, or given back, does not move a gang that is served (B54)',
    find: 'if (covers(a.creditable, wanted)) return compareText(a.value, b.value);',
    replace: '',
  },
  {
    id: 'gang-stays-incomplete', file: 'decide/gang-domain.ts', rule: 'what is free does not move an incomplete gang (B54)',
    find: 'if (!whole && a.creditable.some((amount) => amount > 0)) return compareText(a.value, b.value);',
    replace: '',
  },
  {
    id: 'gang-takes-no-stranger', file: 'decide/same.ts', rule: 'an incomplete gang takes nothing that others can use',
    find: 'admits: (group, cls) => offers.isOwn(group) && isInside(group, cls) });',
    replace: 'admits: isInside });',
  },
  {
    id: 'gang-left-over', file: 'decide/ordered-pass.ts', rule: 'an incomplete gang keeps what nobody else needs',
    find: 'for (const tally of tallies) keep(tally);',
    replace: '',
  },
  {
    id: 'gang-moves-late', file: 'decide/same.ts', rule: 'nothing that serves is given up for what is on its way',
    find: "(group) => group.kind === 'configured');",
    replace: '() => false);',
  },
  {
    id: 'gang-moves', file: 'decide/same.ts', rule: 'what is elsewhere is given up once the gang is whole',
    find: 'if (tally.arriving + tally.acquired + tally.reserved > 0) keepOwn',
    replace: 'keepOwn',
  },
  {
    id: 'gang-limit-elsewhere', file: 'decide/same.ts', rule: 'a gang that the limit stops is whole elsewhere if it can',
    find: 'chosen = choose(offers, wanted, mayAcquire);\n  }',
    replace: 'break;\n  }',
  },
  {
    id: 'gang-limit-room', file: 'decide/trial.ts', rule: 'what is not bought after all leaves its room to others',
    find: 'this.#market.room.backTo(this.#room);',
    replace: '',
  },
  {
    id: 'gang-limit-closes', file: 'decide/same.ts', rule: 'nobody buys what a gang waits for',
    find: 'if (waits) market.room.isClosed = true;',
    replace: '',
  },
  {
    id: 'gang-limit-beyond-all', file: 'decide/same.ts', rule: 'a gang that the whole limit has no room for keeps nothing from others',
    find: 'const waits = stopped.some((domain) => isWithinLimits(domain, market, tally, offers));',
    replace: 'const waits = stopped.length > 0;',
  },
  {
    id: 'gang-limit-preempts', file: 'decide/same.ts', rule: 'a gang that the limit stops chooses anew before anybody loses what serves',
    find: "if (tally.blocked === 'limit' && offers.limitPurchases(domain, trial.bought()))",
    replace: "if (tally.blocked === 'limit' && offers.limitPurchases(domain, trial.bought()) && !(offers.addVictims() && offers.all().some((offer) => offer.value === domain && isWholeWithVictims(offer, tally.row.wanted))))",
  },
  {
    id: 'gang-limit-part', file: 'decide/gang-offers.ts', rule: 'what the limit leaves of the purchases counts',
    find: "const kept = how === 'bought' ? (bought.get(cls) ?? 0) : count;",
    replace: "const kept = how === 'bought' ? 0 : count;",
  },
  {
    id: 'gang-limit-known', file: 'decide/gang-offers.ts', rule: 'it says that the limit stops it',
    find: "return 'limit';",
    replace: "return 'topology';",
  },
  {
    id: 'fold-keeps-matching', file: 'decide/plain.ts', rule: 'gangs that share machines keep none that does not match them',
    find: 'of.accepts[group.classIndex] === 1 && attribute',
    replace: 'attribute',
  },
  {
    id: 'gang-own-first', file: 'decide/same.ts', rule: 'a gang is credited with its own machines first',
    find: 'for (const own of [true, false]) {',
    replace: 'for (const own of [false, true]) {',
  },
  {
    id: 'gang-arrived', file: 'decide/same.ts', rule: 'an incomplete gang gives back what has arrived for it',
    find: "{ admits: (group, cls) => group.kind === 'leaving' && isInside(group, cls) }",
    replace: "{ admits: isInside }",
  },
  {
    id: 'spread-bound', file: 'decide/spread.ts', rule: 'a spread counts what is bound (X10)',
    find: 'if (next.domain !== undefined) counts.set(next.domain, (counts.get(next.domain) as number) + 1);',
    replace: '',
  },
  {
    id: 'spread-skew', file: 'decide/spread.ts', rule: 'a spread never exceeds its skew',
    find: 'return lowest + maxSkew - 1;',
    replace: 'return lowest + maxSkew;',
  },
  {
    id: 'spread-empty-domain', file: 'decide/spread.ts', rule: 'a domain that has none yet holds the others back',
    find: '  let isStopped = false;\n  countSeen(tally, key, counts);\n',
    replace: '  let isStopped = false;\n',
  },
  {
    id: 'spread-seen', file: 'decide/spread.ts', rule: 'a domain that others have to themselves does too (X10)',
    find: 'for (const cls of fit.classes) {',
    replace: 'for (const cls of fit.classes.filter(({ usable }) => usable.idle + usable.speculative > 0)) {',
  },
  {
    id: 'spread-lean', file: 'decide/spread.ts', rule: 'within the skew busy machines are credited first (D13)',
    find: 'Math.max(0, (counts.get(queue.domain) as number) - most)',
    replace: '(counts.get(queue.domain) as number)',
  },
  {
    id: 'spread-opened', file: 'decide/spread.ts', rule: 'what a victim opens to a spread is acquired before more is preempted',
    find: 'const idlePick = cheapestOpen(idle, isOpen);',
    replace: 'const idlePick = victims === undefined ? cheapestOpen(idle, isOpen) : undefined;',
  },
  {
    id: 'spread-opened-offers', file: 'decide/spread.ts', rule: 'what a victim opens to a spread is bought before a lower Need does',
    find: '(isStopped ? undefined',
    replace: '(isStopped || victims !== undefined ? undefined',
  },
  {
    id: 'spread-first-in-rank', file: 'decide/spread.ts', rule: 'of domains that have as many the machine that ranks first is kept',
    find: 'candidate.position < head.position',
    replace: 'false',
  },
  {
    id: 'spread-buys-as-credited', file: 'decide/spread.ts', rule: 'a spread buys by effective cost (B55)',
    find: 'head.position < best.head.position',
    replace: 'head.cls.priceMicroUsdPerHour < best.head.cls.priceMicroUsdPerHour',
  },
  {
    id: 'spread-reserved', file: 'decide/spread.ts', rule: 'what is on its way to a spread counts in its domain',
    find: 'if (domain !== undefined) counts.set(domain, (counts.get(domain) ?? 0) + n);',
    replace: '',
  },
  {
    id: 'session-acquire', file: 'decide/ordered-pass.ts', rule: 'without a session nothing is acquired (D14)',
    find: "if (!mayAcquire) tally.blocked = 'session';",
    replace: "if (tally.row.dims.length < 0) tally.blocked = 'session';",
  },
  {
    id: 'session-reclaim', file: 'decide/reclaim.ts', rule: 'without a session nothing is reclaimed',
    find: "  if (!connected) return isTrusted ? { code: 'ExcessNoSession', cluster: name } : { code: 'SupplyUntrusted' };\n",
    replace: '',
  },
  {
    id: 'report-reclaim', file: 'decide/reclaim.ts', rule: 'before the first report nothing is reclaimed',
    find: "if (demand === undefined) return { code: 'ExcessNoRollupYet', cluster: name };",
    replace: '',
  },
  {
    id: 'report-withdraw', file: 'decide/withdraw.ts', rule: 'before the first report nothing is withdrawn',
    find: 'if (facts.clusters.find(to.cluster)?.demand === undefined) return',
    replace: 'if (facts.clusters.find(to.cluster) === null) return',
  },
  {
    id: 'trust-reclaim', file: 'decide/reclaim.ts', rule: 'nothing is reclaimed while supply is not trusted',
    find: 'const isTrusted = supplyTrusted && !inventory.isUntrusted(slot);',
    replace: 'const isTrusted = !inventory.isUntrusted(slot);',
  },
  {
    id: 'trust-preempt', file: 'decide/preempt.ts', rule: 'nothing is preempted while supply is not trusted',
    find: 'if (!market.facts.supplyTrusted || !market.mayHaveVictims(tally)) return [];',
    replace: 'if (!market.mayHaveVictims(tally)) return [];',
  },
  {
    id: 'trust-release', file: 'decide/release.ts', rule: 'nothing is released while supply is not trusted',
    find: 'if (!facts.supplyTrusted) {',
    replace: 'if (facts.supplyTrusted === undefined) {',
  },
  {
    id: 'trust-withdraw', file: 'decide/withdraw.ts', rule: 'nothing is withdrawn while supply is not trusted',
    find: 'return facts.supplyTrusted && !facts.inventory.isUntrusted(slot)',
    replace: 'return !facts.inventory.isUntrusted(slot)',
  },
  {
    id: 'reclaim-patience', file: 'decide/reclaim.ts', rule: 'patience with occupied machines ends on time (D32)',
    find: 'hint.pods > 0 && untilMs > draft.now',
    replace: 'hint.pods > 0 && untilMs >= draft.now',
  },
  {
    id: 'reclaim-empty-at-once', file: 'decide/reclaim.ts', rule: 'an empty machine is reclaimed at once',
    find: 'hint !== undefined && hint.pods > 0 && untilMs',
    replace: 'hint !== undefined && untilMs',
  },
  {
    id: 'reclaim-drain-refused', file: 'decide/reclaim.ts', rule: 'what its provider has just refused to drain is not reclaimed',
    find: "if (inventory.isDrainRefused(slot)) return { code: 'ExcessDrainRefused', cluster: name };",
    replace: '',
  },
  {
    id: 'reclaim-held', file: 'decide/reclaim.ts', rule: 'what a person holds is not reclaimed',
    find: "if (inventory.isHeld(slot)) return { code: 'HeldByPerson' };",
    replace: '',
  },
  {
    id: 'held-serves', file: 'facts/role.ts', rule: 'what a person holds counts for the cluster that it serves',
    find: 'if (hold) return isServing && !stuck ? ROLE.bound : ROLE.held;',
    replace: 'if (hold) return ROLE.held;',
  },
  {
    id: 'role-untrusted', file: 'facts/role.ts', rule: 'what a provider has that is not to be relied on is chosen for nothing',
    find: 'if (untrusted) return ROLE.held;',
    replace: '',
  },
  {
    id: 'reclaim-untrusted', file: 'decide/reclaim.ts', rule: 'what a provider has that is not to be relied on is not reclaimed',
    find: 'const isTrusted = supplyTrusted && !inventory.isUntrusted(slot);',
    replace: 'const isTrusted = supplyTrusted;',
  },
  {
    id: 'preempt-drain-refused', file: 'facts/pools.ts', rule: 'what a person holds, or its provider has just refused to drain, is not preempted',
    find: ' || isKept ? 0 : 1;',
    replace: ' ? 0 : 1;',
  },
  {
    id: 'reclaim-undisruptable', file: 'decide/reclaim.ts', rule: 'what must not be disrupted is not reclaimed',
    find: "if (hint?.doNotDisrupt === true) return { code: 'ExcessDoNotDisrupt', cluster: name };",
    replace: '',
  },
  {
    id: 'reclaim-dearest-first', file: 'decide/reclaim.ts', rule: 'the dearest is reclaimed first (X15)',
    find: 'b.price - a.price || a.reclamation',
    replace: 'a.price - b.price || a.reclamation',
  },
  {
    id: 'reclaim-idle-first', file: 'decide/reclaim.ts', rule: 'what is cheapest to disturb is reclaimed first (D13)',
    find: 'a.disruptionCost - b.disruptionCost || ',
    replace: '',
  },
  {
    id: 'cap-at-least-one', file: 'decide/reclaim.ts', rule: 'the cap admits at least one',
    find: 'Math.max(1, shareOf(whole, fraction))',
    replace: 'shareOf(whole, fraction)',
  },
  {
    id: 'cap-drains', file: 'decide/reclaim.ts', rule: 'drains under way count',
    find: 'maxConcurrentDrainsPerCluster - drains - ',
    replace: 'maxConcurrentDrainsPerCluster - ',
  },
  {
    id: 'cap-per-minute', file: 'decide/reclaim.ts', rule: 'reclaims of the last minute count',
    find: "maxReclaimsPerMinute - this.#within('perMinute').length",
    replace: 'maxReclaimsPerMinute',
  },
  {
    id: 'cap-over-time', file: 'decide/reclaim.ts', rule: 'what was taken before counts against the share',
    find: 'shareOf(whole, fraction)) - before',
    replace: 'shareOf(whole, fraction))',
  },
  {
    id: 'limit-machines', file: 'decide/room.ts', rule: 'the limit on machines holds',
    find: 'Math.min(wanted, this.#machines, affordable)',
    replace: 'Math.min(wanted, affordable)',
  },
  {
    id: 'limit-money', file: 'decide/room.ts', rule: 'the limit on money holds',
    find: 'Math.min(wanted, this.#machines, affordable)',
    replace: 'Math.min(wanted, this.#machines)',
  },
  {
    id: 'limit-closes', file: 'decide/room.ts', rule: 'whoever does not fit closes the room (D12)',
    find: 'if (n < wanted) this.isClosed = true;',
    replace: '',
  },
  {
    id: 'limit-beyond-all', file: 'decide/room.ts', rule: 'what costs more than the whole limit keeps no money from others',
    find: 'return this.isWithin(1, priceMicroUsdPerHour);',
    replace: 'return true;',
  },
  {
    id: 'limit-reopens', file: 'decide/ordered-pass.ts', rule: 'whoever got elsewhere what it could not buy keeps the room closed for nobody',
    find: 'if (tally.covered && !wasClosed) room.reopen();',
    replace: '',
  },
  {
    id: 'limit-reopens-own', file: 'decide/ordered-pass.ts', rule: 'nobody opens the room that another one closed',
    find: 'if (tally.covered && !wasClosed) room.reopen();',
    replace: 'if (tally.covered) room.reopen();',
  },
  {
    id: 'limit-promised', file: 'decide/room.ts', rule: 'what is to be bought counts',
    find: '- paid.machines - promisedPurchases.machines;',
    replace: '- paid.machines;',
  },
  {
    id: 'hold-by-type', file: 'decide/release.ts', rule: 'each capacity type has its own hold',
    find: "if (type === 'OnDemand') return holds.onDemandMs > 0 ? holds.onDemandMs : 'disabled';",
    replace: "if (type === 'OnDemand') return holds.spotMs > 0 ? holds.spotMs : 'disabled';",
  },
  {
    id: 'hold-off', file: 'decide/release.ts', rule: 'a hold of 0 switches releases off',
    find: "holds.spotMs > 0 ? holds.spotMs : 'disabled';",
    replace: 'holds.spotMs;',
  },
  {
    id: 'hold-ends', file: 'decide/release.ts', rule: 'a hold ends on time',
    find: 'if (since + hold > now) {',
    replace: 'if (since + hold >= now) {',
  },
  {
    id: 'withdraw-unsent', file: 'decide/withdraw.ts', rule: 'only what was not sent is withdrawn',
    find: 'if (inventory.isUnsent(rest[0] as number)) for',
    replace: 'for',
  },
  {
    id: 'victim-strictly-lower', file: 'decide/preempt.ts', rule: 'a victim ranks strictly below',
    find: 'victim.priority >= priority &&',
    replace: 'victim.priority > priority &&',
  },
  {
    id: 'victim-served', file: 'decide/preempt.ts', rule: 'what a machine serves decides whether it may be taken, not what it was bound for (X3)',
    find: 'if (victim.priority >= priority && (holder !== undefined || isOccupied(group))) return undefined;',
    replace: 'if (Math.max(holder?.need.profile.priority ?? -Infinity, market.stampOf(group)?.priority ?? -Infinity) >= priority) return undefined;',
  },
  {
    id: 'victim-occupied', file: 'decide/preempt.ts', rule: 'what nobody needs is patient with Pods for whom ranks above (D32)',
    find: '&& (holder !== undefined || isOccupied(group))) return undefined;',
    replace: '&& holder !== undefined) return undefined;',
  },
  {
    id: 'victim-empty', file: 'decide/preempt.ts', rule: 'what nobody needs and nothing runs on anybody may have (X24)',
    find: '&& (holder !== undefined || isOccupied(group))) return undefined;',
    replace: ') return undefined;',
  },
  {
    id: 'victim-stamp', file: 'decide/preempt.ts', rule: 'how good a victim is follows from what it serves',
    find: 'holder?.need.profile ?? market.stampOf(group) ?? UNKNOWN',
    replace: 'market.stampOf(group) ?? UNKNOWN',
  },
  {
    id: 'victim-left-over-stamp', file: 'decide/preempt.ts', rule: 'where nobody needs it, from what it was bound for',
    find: 'holder?.need.profile ?? market.stampOf(group) ?? UNKNOWN',
    replace: 'holder?.need.profile ?? UNKNOWN',
  },
  {
    id: 'victim-excess-first', file: 'decide/preempt.ts', rule: 'what nobody needs is taken first (X24)',
    find: 'Number(b.excess) - Number(a.excess) || b.score - a.score',
    replace: 'b.score - a.score',
  },
  {
    id: 'victim-score', file: 'decide/preempt.ts', rule: 'the better victim first',
    find: 'Number(b.excess) - Number(a.excess) || b.score - a.score',
    replace: 'Number(b.excess) - Number(a.excess) || a.score - b.score',
  },
  {
    id: 'victim-own-cluster', file: 'decide/preempt.ts', rule: 'nobody takes from its own cluster',
    find: '    if (cluster === tally.cluster) continue;\n',
    replace: '',
  },
  {
    id: 'victim-reported', file: 'decide/market.ts', rule: 'nobody takes from a cluster that has not reported',
    find: 'demand !== undefined && connected',
    replace: 'connected',
  },
  {
    id: 'victim-connected', file: 'decide/market.ts', rule: 'nobody takes from a cluster without a session',
    find: 'demand !== undefined && connected',
    replace: 'demand !== undefined',
  },
  {
    id: 'victim-search-own', file: 'decide/lowest-served.ts', rule: 'that a cluster itself serves the lowest says nothing of the others',
    find: 'return own === this.#firstBy ? this.#second : this.#first;',
    replace: 'return own === this.#firstBy ? Infinity : this.#first;',
  },
  {
    id: 'victim-search-lowest', file: 'decide/lowest-served.ts', rule: 'whoever ranks above the lowest that is served searches',
    find: 'if (by === this.#firstBy) this.#first = Math.min(',
    replace: 'if (by === this.#firstBy) this.#first = Math.max(',
  },
  {
    id: 'victim-spare', file: 'decide/market.ts', rule: 'what a Need does without may make a gang whole elsewhere',
    find: '      this.forecasts?.forget(cluster);\n',
    replace: '',
  },
  {
    id: 'victim-moved-gang', file: 'decide/forecast.ts', rule: 'what a gang leaves behind that moves is free for others',
    find: 'if (foreseen !== undefined && (',
    replace: 'if (foreseen === null && (',
  },
  {
    id: 'victim-undisruptable', file: 'decide/preempt.ts', rule: 'what must not be disrupted is not taken',
    find: '      else lots.push(lot);\n',
    replace: '      lots.push(lot);\n',
  },
  {
    id: 'victim-shift', file: 'decide/preempt.ts', rule: 'what is taken from one of several who have parts of a group moves the parts of the others',
    find: '    other.from -= n;\n    other.to -= n;\n',
    replace: '',
  },
  {
    id: 'victim-contributes', file: 'decide/preempt.ts', rule: 'a victim that adds nothing any more is not taken (X20)',
    find: ' || !tally.contributes(market.classOf(lot.group))) continue;',
    replace: ') continue;',
    hangs: true,
  },
  {
    id: 'victim-no-more', file: 'decide/preempt.ts', rule: 'no more is taken than lacks',
    find: 'const n = Math.min(tie.length === 1 ? lot.to - lot.from : 1, tally.wants(market.classOf(lot.group)));',
    replace: 'const n = tie.length === 1 ? lot.to - lot.from : 1;',
  },
  {
    id: 'victim-not-reclaimed', file: 'facts/group.ts', rule: 'what is taken is not reclaimed as well (X24)',
    find: 'return this.#ordered.splice(from, n);',
    replace: 'return this.#ordered.slice(from, from + n);',
  },
  {
    id: 'grace-900000', file: 'decide/preempt.ts', rule: 'a gap of 900,000 has 30 s',
    find: 'gap > 900_000',
    replace: 'gap >= 900_000',
  },
  {
    id: 'grace-500000', file: 'decide/preempt.ts', rule: 'a gap of 500,000 has 2 min',
    find: 'gap > 500_000',
    replace: 'gap >= 500_000',
  },
  {
    id: 'grace-100000', file: 'decide/preempt.ts', rule: 'a gap of 100,000 has 10 min',
    find: 'gap > 100_000',
    replace: 'gap >= 100_000',
  },
  {
    id: 'reservation-made', file: 'decide/planner.ts', rule: 'what is preempted is reserved (X2)',
    find: '        draft.reserve(inventory.id(slot), row.assignment);\n',
    replace: '',
  },
  {
    id: 'unit-class-known', file: 'decide/market.ts', rule: 'what is for another row of the demand is passed over',
    find: 'if (demandKey !== row.demandKey || to.unitClass === undefined',
    replace: 'if (demandKey === row.demandKey || to.unitClass === undefined',
  },
  {
    id: 'unit-class-to-come', file: 'decide/forecast.ts', rule: 'what a row has left over after its turn is for the others of its demand',
    find: 'for (let i = turns.next; i < turns.rows.length; i++) {',
    replace: 'for (let i = 0; i < turns.rows.length; i++) {',
  },
  {
    id: 'unit-class-enough', file: 'decide/plain.ts', rule: 'nothing is bought while the rows of a demand have enough together',
    find: 'return tally.remaining.every((lack, i) => (sums[i] as number) >= lack);',
    replace: 'return tally.remaining.every((lack, i) => (sums[i] as number) > lack + 1e15);',
  },
  {
    id: 'unit-class-last', file: 'decide/plain.ts', rule: "another row's machines are taken only when nothing else is to be had",
    find: 'if (market.isForecast || !tally.cluster.connected) return true;',
    replace: 'return true;',
  },
  {
    id: 'unit-class-arriving', file: 'decide/plain.ts', rule: 'what is on its way to another row is never taken (B56)',
    find: 'drainTies(market.bound(tally.cluster, tally.fit), { market, tally, take: crediting(tally) });',
    replace: 'for (const ties of [market.bound(tally.cluster, tally.fit), market.arriving(tally)]) drainTies(ties, { market, tally, take: crediting(tally) });',
  },
  {
    id: 'unit-class-skew', file: 'decide/spread.ts', rule: "a strict spread takes another row's machines only within its skew",
    find: 'mayWiden: false }',
    replace: 'mayWiden: true }',
  },
  {
    id: 'reservation-dropped', file: 'decide/planner.ts', rule: 'a reservation ends when its demand can do without',
    find: ' || !wanted.has(slot)) draft.reserve(id, null);',
    replace: ') draft.reserve(id, null);',
  },
  {
    id: 'reservation-leaving', file: 'facts/role.ts', rule: 'what is on its way out counts for its preemptor (X2)',
    find: 'return reserved ? ROLE.reserved : ROLE.leaving;',
    replace: 'return ROLE.leaving;',
  },
  {
    id: 'reservation-arrived', file: 'facts/role.ts', rule: "what has arrived is its preemptor's",
    find: 'if (state === IDLE && reserved) return ROLE.reserved;',
    replace: '',
  },
  {
    id: 'reservation-session', file: 'decide/plain.ts', rule: 'what has arrived is not bound without a session',
    find: "(group.kind === 'leaving' || mayAcquire) && ",
    replace: '',
  },
  {
    id: 'fold-own', file: 'decide/fold.ts', rule: 'gangs fold if a machine of their cluster holds one',
    find: 'this.#accepts(asker, bound) || ',
    replace: '',
  },
  {
    id: 'fold-keeps', file: 'decide/fold.ts', rule: 'gangs that smaller machines serve in whole keep them (D7)',
    find: 'folds[i] &&= !served.has(row)',
    replace: 'folds[i] &&= true',
  },
  {
    id: 'fold-keeps-rest', file: 'decide/served-apart.ts', rule: 'but not if somebody who comes first is served by them',
    find: 'if (!gangs.has(row)) creditOnly(this.market, this.tally(row));',
    replace: 'if (!gangs.has(row)) return;',
  },
  {
    id: 'fold-seats', file: 'decide/served-apart.ts', rule: 'and not if they share a larger one already',
    find: ' && trial.seats.take(row.onOneMachine as FoldTarget)',
    replace: ' && row.onOneMachine === undefined',
  },
  {
    id: 'fold-keeps-until-moved', file: 'decide/plain.ts', rule: 'gangs keep what they have until larger machines serve them',
    find: 'row.gangs !== undefined && (!covered || arriving > 0)',
    replace: 'row.gangs !== undefined && !covered',
  },
  {
    id: 'fold-reserved', file: 'decide/fold.ts', rule: 'gangs stay folded while what was preempted for them as one is draining',
    find: '    if (reserved.size > 0 && this.#accepts(asker, reserved.get(demandKey))) return true;\n',
    replace: '',
  },
  {
    id: 'fold-draining', file: 'decide/fold.ts', rule: 'gangs do not fold onto what is still draining for them',
    find: 'this.#accepts(asker, reserved.get(demandKey))',
    replace: '[...reserved.values()].some((shelf) => this.#accepts(asker, shelf))',
  },
  {
    id: 'fold-decided', file: 'decide/fold.ts', rule: 'gangs stay folded while their machine is being created (D34)',
    find: '    if (promised.size > 0 && this.#accepts(asker, promised.get(demandKey))) return true;\n',
    replace: '',
  },
  {
    id: 'fold-free', file: 'decide/fold.ts', rule: 'gangs fold if a free machine holds one',
    find: 'some(({ usable, priceMicroUsdPerHour }) => usable.idle > 0 || (usable.speculative > 0',
    replace: 'some(({ usable, priceMicroUsdPerHour }) => usable.idle > 0 || usable.configured > 0 || (usable.speculative > 0',
  },
  {
    id: 'fold-free-gone', file: 'decide/planner.ts', rule: 'what folds by free machines is planned anew when they come or go',
    find: ' || (foldsDiffer && c.foldsByFree)',
    replace: '',
  },
  {
    id: 'fold-min-unit', file: 'facts/need-row.ts', rule: 'folded gangs take only machines that hold a whole one',
    find: 'asker: askers.of(requirementsKey + aggregate, () => ({ profile, ...indexed(wanted, dimensions) })),',
    replace: 'asker: askers.of(requirementsKey, () => ({ profile, ...indexed([], dimensions) })),',
  },
  {
    id: 'fold-in-place', file: 'facts/need-row.ts', rule: 'folded gangs take only machines that are in a place of theirs',
    find: 'asker: askers.of(requirementsKey + aggregate, () => ({ profile, ...indexed(wanted, dimensions) })),',
    replace: 'asker: askers.of(stripped.requirementsKey + aggregate, () => ({ profile: stripped.profile, ...indexed(wanted, dimensions) })),',
  },
  {
    id: 'fold-deficit-last', file: 'decide/verdict.ts', rule: 'what lacks is laid to the gangs that choose last',
    find: 'for (let i = gangs.length - 1; i >= 0; i--) {',
    replace: 'for (let i = 0; i < gangs.length; i++) {',
  },
  {
    id: 'reason-in-progress', file: 'decide/verdict.ts', rule: 'who only waits for victims reads so',
    find: "if (tally.covered) return 'PREEMPTION_IN_PROGRESS';",
    replace: '',
  },
  {
    id: 'reason-session', file: 'decide/verdict.ts', rule: 'no session comes before all other reasons',
    find: "if (tally.blocked === 'session') return 'NO_SESSION';",
    replace: '',
  },
  {
    id: 'reason-topology', file: 'decide/verdict.ts', rule: 'an unsatisfiable topology comes before missing supply',
    find: "if (tally.blocked === 'topology') return 'TOPOLOGY_UNSATISFIABLE';",
    replace: '',
  },
  {
    id: 'reason-exhausted', file: 'decide/verdict.ts', rule: 'who took what could be taken reads so',
    find: "if (tally.reserved > 0) return isProtected ? 'DISRUPTION_BLOCKED' : 'PREEMPTION_EXHAUSTED';",
    replace: '',
  },
  {
    id: 'reason-limit', file: 'decide/verdict.ts', rule: 'the limit comes before the skew',
    find: "if (tally.blocked === 'limit') return 'LIMIT_REACHED';",
    replace: '',
  },
  {
    id: 'reason-undisruptable', file: 'decide/verdict.ts', rule: 'what must not be disrupted is a reason',
    find: 'if (isProtected || ranks.isKeptFrom(tally)) return',
    replace: 'if (ranks.isKeptFrom(tally)) return',
  },
  {
    id: 'reason-kept-from', file: 'decide/verdict.ts', rule: 'what cannot be taken at present is a reason',
    find: 'if (isProtected || ranks.isKeptFrom(tally)) return',
    replace: 'if (isProtected) return',
  },
  {
    id: 'promised-leaves-fleet', file: 'facts/role.ts', rule: 'what leaves the fleet is promised to nobody',
    find: 'return intent !== RELEASE && (state',
    replace: 'return (state',
  },
  {
    id: 'queue-known', file: 'decide/tie-queue.ts', rule: 'of a group that something was taken from nobody knows what comes next, until somebody looks',
    find: 'if (this.#headOf(group) === heads[i]) known++;',
    replace: 'known++;',
  },
  {
    id: 'queue-equal', file: 'decide/tie-queue.ts', rule: 'only of machines that bring the same the next ones are all there is to look at',
    find: 'others.every((cls) => JSON.stringify(cls.amounts) === amounts)',
    replace: 'true',
  },
  {
    id: 'queue-heads', file: 'decide/tie-queue.ts', rule: 'what has run out is cleared away with what was known of it',
    find: '    this.#heads = this.#heads?.filter((_, i) => !hasRunOut(before[i] as Group<Tally>));',
    replace: '',
  },
  {
    id: 'folded-forgotten', file: 'decide/fold.ts', rule: 'gangs that are gone are folded no more',
    find: 'cluster.folded.clear();',
    replace: '',
  },
  {
    id: 'awaited-first', file: 'decide/preempt.ts', rule: 'who would take a machine from somebody waits for what will be anybody’s instead (X2)',
    find: 'return isPlain(tally) || ofOthers.length > 0 ? [...awaited(market, tally), ...ofOthers] : ofOthers;',
    replace: 'return ofOthers;',
  },
  {
    id: 'awaited-turn', file: 'decide/preempt.ts', rule: 'what will be anybody’s is for whose turn comes first, though that has nobody to take from',
    find: 'return isPlain(tally) || ofOthers.length > 0 ?',
    replace: 'return ofOthers.length > 0 ?',
  },
  {
    id: 'awaited-spread', file: 'decide/preempt.ts', rule: 'a strict spread waits for nothing while there is nobody to take from',
    find: 'return isPlain(tally) || ofOthers.length > 0 ?',
    replace: 'return tally.row.sameKey === undefined || ofOthers.length > 0 ?',
  },
  {
    id: 'awaited-remembered', file: 'decide/preempt.ts', rule: 'nothing is remembered of what a plain Need waits for',
    find: "market.awaited, isPlain(tally) ? 'awaited' : 'promised')",
    replace: "market.awaited, 'promised')",
  },
  {
    id: 'awaited-gang', file: 'decide/preempt.ts', rule: 'a gang that acquires the rest by it is promised it',
    find: "market.awaited, isPlain(tally) ? 'awaited' : 'promised')",
    replace: "market.awaited, 'awaited')",
  },
  {
    id: 'awaited-cheapest', file: 'decide/preempt.ts', rule: 'of what will be anybody’s the cheapest is promised first',
    find: 'return tiesBy(lots, ({ group }) => market.classOf(group).priceMicroUsdPerHour);',
    replace: 'return tiesBy(lots, () => 0);',
  },
  {
    id: 'awaited-away', file: 'facts/inventory.ts', rule: 'nobody waits for a drain that nobody carries out',
    find: 'if (owner < 0 || this.clusters.at(owner).connected) yield*',
    replace: 'yield*',
  },
  {
    id: 'awaited-gone', file: 'decide/market.ts', rule: 'what was promised to demand that is gone is anybody’s',
    find: 'else awaited.push(nobodys(group));',
    replace: '',
  },
  {
    id: 'promised-coming', file: 'decide/market.ts', rule: 'nobody takes over a promise that may never come true',
    find: 'if (!this.facts.inventory.isComing(slot)) return;',
    replace: '',
  },
  {
    id: 'promised-mixed', file: 'decide/market.ts', rule: 'what may never come hides nothing that comes',
    find: 'if (last?.[1] === i) last[1]++;',
    replace: 'if (last !== undefined) return;',
  },
  {
    id: 'promised-lower-first', file: 'decide/preempt.ts', rule: 'what is on its way to who ranks below is taken before anything is preempted',
    find: '[...promisedToOthers(market, tally), ...victimsFor(market, tally)]',
    replace: 'victimsFor(market, tally)',
  },
  {
    id: 'promised-lowest', file: 'decide/preempt.ts', rule: 'what is promised to the lowest is taken first',
    find: "market.promises, 'promised'), (lot) => lot.priority);",
    replace: "market.promises, 'promised'), () => 0);",
  },
  {
    id: 'promised-gang', file: 'decide/market.ts', rule: 'a gang loses no part of what is on its way to it',
    find: 'if (isGang || (isWanted',
    replace: 'if ((isWanted',
  },
  {
    id: 'promised-foreseen', file: 'decide/market.ts', rule: 'who loses a promise may have what was left over for others of its demand',
    find: "if (group.kind !== 'leaving' || !this.#isForOneRow(group, cluster)) this.forecasts",
    replace: "if (group.kind !== 'leaving') this.forecasts",
  },
  {
    id: 'promised-equal', file: 'decide/preempt.ts', rule: 'but not from an equal',
    find: 'if (below >= priority) break;',
    replace: 'if (below > priority) break;',
  },
  {
    id: 'limit-too-dear', file: 'decide/plain.ts', rule: 'what costs more than the whole limit hides nothing that does not',
    find: 'if (!speculative || !room.isLimited) return undefined;',
    replace: 'if (speculative || !room.isLimited) return undefined;',
  },
  {
    id: 'gang-limit-elsewhere-kept', file: 'decide/same.ts', rule: 'members elsewhere count within the limit until the gang has moved',
    find: 'offers.domainOf(cls) !== undefined) trial.count(cls, group.left);',
    replace: 'offers.domainOf(cls) !== undefined) trial.count(cls, 0);',
  },
  {
    id: 'patience-silence', file: 'decide/reclaim.ts', rule: 'silence is no time left over (D32)',
    find: '  if (!connected) return isTrusted',
    replace: '  if (!connected) draft.rememberLeftOver(inventory.id(slot), sinceOf(inventory.id(slot), draft));\n  if (!connected) return isTrusted',
  },
  {
    id: 'reason-undisruptable-too', file: 'decide/verdict.ts', rule: 'also for who could take something else (D13)',
    find: "isProtected ? 'DISRUPTION_BLOCKED' : 'PREEMPTION_EXHAUSTED'",
    replace: "'PREEMPTION_EXHAUSTED'",
  },
  {
    id: 'reason-undisruptable-gang', file: 'decide/gang-offers.ts', rule: 'and for a gang that would be whole (D13)',
    find: "return isWholeIn(this.#byDomain(this.#tally.undisruptable)) ? 'disruption' : 'topology';",
    replace: "return 'topology';",
  },
  {
    id: 'reason-starved', file: 'decide/verdict.ts', rule: 'only who ranks above starves somebody',
    find: 'return precedence > row.precedence',
    replace: 'return precedence >= row.precedence',
  },
  {
    id: 'arrival-forgotten', file: 'decide/planner.ts', rule: "a demand's age ends when its cluster stops asking (D5)",
    find: "draft.remember('arrival', key, null);",
    replace: 'memory.arrivalsToCheck.delete(key);',
  },
  {
    id: 'kept-unfinished', file: 'decide/planner.ts', rule: 'a cluster with something left open is planned anew',
    find: 'cluster.closed = !draft.unfinished.has(cluster) && cluster.reserved.size === 0;',
    replace: 'cluster.closed = cluster.reserved.size === 0;',
  },
  {
    id: 'order-ids', file: 'facts/id-order.ts', rule: 'between equals the smallest id decides, whatever has come and gone',
    find: 'this.rank[slot] = kept;',
    replace: '',
  },
  {
    id: 'group-order', file: 'facts/group.ts', rule: 'whoever asks for the order of machines gets that of now',
    find: 'if (this.#added.length > 0 || this.#removed.length > 0) this.#putInOrder();',
    replace: 'if (this.#added.length > 0) this.#putInOrder();',
  },
  {
    id: 'note-fresh', file: 'facts/group.ts', rule: 'who has come to a group that one has all of is noted as his',
    find: 'if (isSame && fresh === undefined) return NOBODY;',
    replace: 'if (isSame) return NOBODY;',
  },
  {
    id: 'note-put-back', file: 'facts/group.ts', rule: 'a machine that is preempted no more serves whom it served',
    find: '    this.#noted = undefined;\n',
    replace: '',
  },
  {
    id: 'reason-outlived', file: 'decide/plan-reasons.ts', rule: 'reasons of a plan end with the next one',
    find: 'this.#first += this.#reasons.length;',
    replace: '',
  },
  {
    id: 'decision-of-class', file: 'decide/plan-draft.ts', rule: 'machines of different classes are acquired for different reasons',
    find: 'if (known !== undefined) return known;',
    replace: 'if (decisions.length > 0) return 0;',
  },
  {
    id: 'row-merged-unit', file: 'facts/need-row.ts', rule: 'rows of equal identity ask for the larger unit',
    find: 'minUnit: maxVectors(a.minUnit, b.minUnit)',
    replace: 'minUnit: a.minUnit',
  },
  {
    id: 'hint-cautious', file: 'facts/facts.ts', rule: 'of two hints about one machine the more cautious holds',
    find: 'disruptionCost: Math.max(',
    replace: 'disruptionCost: Math.min(',
  },
  {
    id: 'gang-rounds-down', file: 'decide/same.ts', rule: 'coverage is rounded down',
    find: 'return Math.min(least, Number((have * 1000n) / BigInt(w)));',
    replace: 'return Math.min(least, Math.round((Number(have) * 1000) / w));',
  },
  {
    id: 'gang-reserved-elsewhere', file: 'decide/same.ts', rule: 'what is on its way to a gang elsewhere is reported',
    find: '    tally.reserved += group.left;\n',
    replace: '',
  },
  {
    id: 'limit-money-promised', file: 'decide/room.ts', rule: 'the money for what is to be bought counts',
    find: ' - paid.microUsdPerHour - promisedPurchases.microUsdPerHour;',
    replace: ' - paid.microUsdPerHour;',
  },
  {
    id: 'gang-limit-arrived', file: 'decide/same.ts', rule: 'a gang that the limit stops binds nothing that has arrived for it',
    find: '{ admits: isInside, taken: (_cls, n, group) => trial.note(group, n) }',
    replace: '{ admits: isInside }',
  },
  {
    id: 'label-classes', file: 'facts/shapes.ts', rule: 'a label that nobody asked about before files machines anew, not among others',
    find: 'left.push(before);\n      shape.class = this.#enterClass(shape);',
    replace: 'shape.class = this.#enterClass(shape);\n      this.#leaveClass(before);',
  },
  {
    id: 'freed-sums', file: 'decide/tally.ts', rule: 'what victims bring is told together',
    find: 'freed[i] = (freed[i] as number) + amount;',
    replace: 'freed[i] = amount;',
  },
  {
    id: 'gang-candidates', file: 'decide/same.ts', rule: 'the five best covered domains are told',
    find: 'const MOST_CANDIDATES = 5;',
    replace: 'const MOST_CANDIDATES = 50;',
  },
  {
    id: 'limit-money-exceeded', file: 'decide/room.ts', rule: 'what costs nothing is not bought either once the limit is exceeded',
    find: 'this.#microUsdPerHour < 0 ? 0 : Infinity',
    replace: 'Infinity',
  },
  {
    id: 'trust-before-session', file: 'decide/reclaim.ts', rule: 'that supply is not trusted is said before that a session is missing',
    find: "return isTrusted ? { code: 'ExcessNoSession', cluster: name } : { code: 'SupplyUntrusted' };",
    replace: "return { code: 'ExcessNoSession', cluster: name };",
  },
  {
    id: 'fold-name', file: 'facts/need-row.ts', rule: 'what is bound for gangs that share machines is told from what is bound for demand without Same',
    find: 'demandKey: arrivalKey(need.cluster, need.fingerprint, ANY_GANG),',
    replace: "demandKey: arrivalKey(need.cluster, stripped.fingerprint, ''),",
  },
  {
    id: 'fold-decided-for', file: 'decide/served-apart.ts', rule: 'what was decided for gangs that nothing smaller serves is not given to those before them',
    find: 'new Set(gangs.filter(({ onOneMachine }) => crowded.has(onOneMachine?.key)))',
    replace: 'new Set(standing)',
  },
  {
    id: 'fold-seats-first', file: 'decide/served-apart.ts', rule: 'gangs that nothing smaller serves sit down on larger machines first',
    find: '[false, true].flatMap((might) => gangs.filter((row) => trial.mightServe(row) === might && trial.seats',
    replace: '[true].flatMap(() => gangs.filter((row) => trial.seats',
  },
  {
    id: 'fold-holds-itself', file: 'decide/served-apart.ts', rule: 'a gang that has all it needs is given no reason to share, another none to take it',
    find: ' && !this.#isAnothers(group, row)',
    replace: '',
  },
  {
    id: 'fold-sitting', file: 'decide/served-apart.ts', rule: 'as many gangs share a larger machine as it holds',
    find: 'if (first.length === 0) return served;',
    replace: 'return served;',
  },
  {
    id: 'fold-sitting-own', file: 'decide/served-apart.ts', rule: 'who has smaller machines of its own is the last to share a larger one',
    find: '.sort((a, b) => Number(trial.holdsItself(a)) - Number(trial.holdsItself(b)))',
    replace: '',
  },
  {
    id: 'preempt-kept-by-gang', file: 'decide/forecast.ts', rule: 'what an incomplete gang keeps serves it, whatever it was bound for (X3)',
    find: 'this.#credits.keep(tally);',
    replace: '',
  },
  {
    id: 'preempt-kept-in-order', file: 'decide/forecast.ts', rule: 'gangs that come first keep first what is left over',
    find: 'const incomplete = [...(this.#incomplete.get(cluster) ?? [])];',
    replace: 'const incomplete: Tally[] = [];',
  },
  {
    id: 'reserved-arrived-first', file: 'facts/pools.ts', rule: 'of what was preempted what has arrived is taken first',
    find: 'ref, [arrived]);',
    replace: 'ref, [0]);',
  },
  {
    id: 'same-limit-satisfiable', file: 'decide/same.ts', rule: 'a gang that the limit on purchases stops has a place all the same',
    find: "tally.satisfiable = tally.blocked === 'limit'",
    replace: 'tally.satisfiable = false',
  },
  {
    id: 'unit-class-last-spread', file: 'decide/ordered-pass.ts', rule: 'a strict spread takes what was bound for another unit class where nothing else is to be had',
    find: '    creditOthersEvenly(market, tally, spread, counts);\n',
    replace: '',
  },
  {
    id: 'gang-renewed', file: 'decide/gang-offers.ts', rule: 'what was bound for a gang stays its own when its profile changes',
    find: "to.group === row.need.group && !cluster.asksFor(demandKey)",
    replace: 'false',
  },
  {
    id: 'gang-namesake', file: 'decide/gang-offers.ts', rule: 'but not what was bound for another gang of its name',
    find: ' && !cluster.asksFor(demandKey)',
    replace: '',
  },
  {
    id: 'fold-unseated-take', file: 'decide/served-apart.ts', rule: 'a gang is served apart only by what those above it, planned as one, leave it',
    find: 'else creditOnly(this.market, this.tally(foldedRow([row], this.#facts.dimensions)));',
    replace: '',
  },
  {
    id: 'idle-clock-once', file: 'facts/idle-clocks.ts', rule: 'a machine is released once, however often its clock was told of',
    find: 'visited.add(slot);',
    replace: '',
  },
  {
    id: 'fold-seats-in-order', file: 'decide/seats.ts', rule: 'who sits where does not depend on which machine was told of first',
    find: '.sort((a, b) => compareOrders(a.order, b.order) || first(a) - first(b))',
    replace: '',
  },
  {
    id: 'reclaim-empty-first', file: 'decide/reclaim.ts', rule: 'a Pod costs one at least, an empty machine nothing (B53)',
    find: 'disruptionCost(hints?.get(inventory.id(slot)))',
    replace: 'hints?.get(inventory.id(slot))?.disruptionCost ?? 0',
  },
  {
    id: 'release-unspecified', file: 'decide/release.ts', rule: 'unspecified capacity is never released',
    find: "if (type === 'OnDemand') return holds",
    replace: "if (type === 'OnDemand' || type === 'Unspecified') return holds",
  },
  {
    id: 'hint-gone', file: 'facts/facts.ts', rule: 'a machine of which nothing is hinted any more ranks as one without hints',
    find: 'for (const id of before?.keys() ?? []) if (after?.has(id) !== true) yield id;',
    replace: '',
  },
  {
    id: 'said-again', file: 'facts/facts.ts', rule: 'what is said again calls for no plan',
    find: 'if (!this.#isNews(change)) return;',
    replace: 'this.#isNews(change);',
  },
  {
    id: 'stamp-by-intent', file: 'facts/inventory.ts', rule: 'what is being configured is its own who decided for it, before the provider says so',
    find: 'const stamp = assigned >= 0 ? assigned : (this.intendedTo[slot] as number);',
    replace: 'const stamp = assigned;',
  },
  {
    id: 'reservation-not-carried-out', file: 'decide/planner.ts', rule: 'what a plan preempts anew stays reserved, whether or not the last one was carried out',
    find: '        wanted.add(slot);\n',
    replace: '',
  },
  {
    id: 'rails-count-preempted', file: 'decide/reclaim.ts', rule: 'what the same plan preempts counts among the drains of its cluster',
    find: ' - (preempted.get(name) ?? 0)',
    replace: '',
  },
  {
    id: 'spread-preempts-at-limit', file: 'decide/spread.ts', rule: 'a strict spread that may not buy preempts',
    find: '        continue;\n      }\n      pick.queue.advance();',
    replace: '        return;\n      }\n      pick.queue.advance();',
  },
  {
    id: 'supply-on-its-way', file: 'facts/inventory.ts', rule: 'a machine that is on its way to others is no reason to say that none matches',
    find: "role === ROLE.bound || role === ROLE.reserved || role === ROLE.leaving || state === CREATING",
    replace: 'role === ROLE.bound && state === CONFIGURED',
  },
  {
    id: 'unit-class-no-session', file: 'decide/plain.ts', rule: 'who can acquire nothing has what is there for other rows of its demand',
    find: ' || !tally.cluster.connected) return true;',
    replace: ') return true;',
  },
  {
    id: 'candidates-of-nothing', file: 'decide/same.ts', rule: 'a place with nothing to be had is none to be told of',
    find: '.filter((offer) => countOf(offer) > 0)',
    replace: '.filter(() => true)',
  },
  {
    id: 'edit-hint-cost', file: 'facts/facts.ts', rule: 'what disrupting a machine costs is heard also when nothing else changes',
    find: ' && a.disruptionCost === b.disruptionCost',
    replace: '',
  },
  {
    id: 'edit-zone', file: 'facts/shapes.ts', rule: 'a machine that has moved to another zone is there',
    find: '      shape.zone === machine.zone &&\n',
    replace: '',
  },
  {
    id: 'edit-probability', file: 'facts/shapes.ts', rule: 'how likely a machine is interrupted is heard also when nothing else changes',
    find: ' &&\n      shape.interruptionProbability === machine.interruptionProbability',
    replace: '',
  },
  {
    id: 'fold-key-places', file: 'facts/need-row.ts', rule: 'gangs that want to be in different places are not planned as one',
    find: '${stripped.fingerprint}\\u0000${requirementsKey}\\u0000${aggregate}',
    replace: '${stripped.fingerprint}\\u0000${aggregate}',
  },
  {
    id: 'sums-counted', file: 'facts/demand.ts', rule: 'rows of one demand that are too much together are refused',
    find: 'if (known !== undefined) assertCountable(sum);',
    replace: '',
  },
  {
    id: 'fold-sums', file: 'facts/need-row.ts', rule: 'gangs that share machines take as many of them, however much they are together',
    find: '[name, amount * gangs.length] as const',
    replace: '[name, Math.min(amount * gangs.length, Number.MAX_SAFE_INTEGER)] as const',
  },
  {
    id: 'clocks-before', file: 'decide/planner.ts', rule: 'machines whose clocks the last plan would have started are named when this one starts others',
    find: 'draft.clocks.slots, this.#clocksBefore,',
    replace: 'draft.clocks.slots,',
  },
  {
    id: 'outlay-halves', file: 'facts/outlay.ts', rule: 'what machines cost together does not depend on the order in which they came and went',
    find: 'const low = microUsdPerHour % HALF;',
    replace: 'const low = 0;',
  },
  {
    id: 'failed-paid', file: 'facts/machine-columns.ts', rule: 'what has failed counts for the limits as long as it has a host',
    find: '(state !== FAILED || ((this.flags[slot] as number) & HAS_HOST) !== 0)',
    replace: 'state !== FAILED',
  },
  {
    id: 'failed-gone', file: 'facts/machine-columns.ts', rule: 'what has failed and has no host counts for no limit',
    find: '(state !== FAILED || ((this.flags[slot] as number) & HAS_HOST) !== 0)',
    replace: 'true',
  },
  {
    id: 'gang-idle-first', file: 'decide/same.ts', rule: 'a gang takes idle machines before it buys',
    find: 'for (const speculative of [false, true]) {',
    replace: 'for (const speculative of [true, false]) {',
  },
  {
    id: 'clocks-go-on', file: 'decide/release.ts', rule: 'clocks that one plan leaves for the next are started at once',
    find: '  if (!clocks.areAll) draft.wakeAt(draft.now);\n',
    replace: '',
  },
  {
    id: 'clocks-not-yet', file: 'decide/planner.ts', rule: 'no machine is said to be held until a time that its clock does not know yet',
    find: 'draft.clocks.areAll ? now : undefined',
    replace: 'now',
  },
  {
    id: 'clocks-found', file: 'facts/inventory.ts', rule: 'once few clocks are left to be started, they are known one by one again',
    find: '    this.#clocksToCheck.found(slots);\n',
    replace: '    this.#clocksToCheck.found([]);\n',
  },
  {
    id: 'fold-keeps-by-name', file: 'decide/plain.ts', rule: 'gangs that share machines keep what was bound for one of their name when its profile was another',
    find: 'cluster.asksFor(demandKey) ? byDemand.get(demandKey) : byName?.get(to.group)',
    replace: 'byDemand.get(demandKey)',
  },
  {
    id: 'fold-keeps-of-others', file: 'decide/plain.ts', rule: 'nothing is kept that was bound for another gang of that name that is asked for as well',
    find: 'cluster.asksFor(demandKey) ? byDemand.get(demandKey) : byName?.get(to.group)',
    replace: 'byDemand.get(demandKey) ?? byName?.get(to.group)',
  },
  {
    id: 'fold-keeps-unnamed', file: 'decide/plain.ts', rule: 'gangs without a name have no name in common',
    find: ".filter(({ name }) => name !== '')",
    replace: '',
  },
  {
    id: 'spread-keeps-parts', file: 'decide/spread.ts', rule: 'gangs that are spread keep what serves them until the larger machine does',
    find: '  if (mayKeepParts(tally)) keepUntilMoved(market, tally);\n',
    replace: '',
  },
  {
    id: 'spread-credits-by-what-is-its-own', file: 'decide/spread.ts', rule: 'what comes and goes elsewhere moves nothing that serves',
    find: '  const counts: SpreadCounts = new Map();\n  const bound',
    replace: '  const counts: SpreadCounts = new Map();\n  countSeen(tally, key, counts);\n  const bound',
  },
  {
    id: 'spread-others-are-sensitive', file: 'decide/spread.ts', rule: 'a cluster whose credit depends on places elsewhere is planned anew with every plan',
    find: '  market.sensitive.add(tally.cluster);\n',
    replace: '',
  },
  {
    id: 'seats-in-every-dimension', file: 'decide/seats.ts', rule: 'a machine seats as many gangs as it holds in every dimension',
    find: 'return asker.minDims.reduce(',
    replace: 'return asker.minDims.slice(0, 1).reduce(',
  },
  {
    id: 'reclaims-forgotten-together', file: 'decide/reclaim.ts', rule: 'reclaims are forgotten when the last of them is a minute old',
    find: 'times.every((at) =>',
    replace: 'times.some((at) =>',
  },
  {
    id: 'withdraw-not-yet', file: 'decide/withdraw.ts', rule: 'a machine that counts for nobody says so, also while its binding may not be withdrawn',
    find: 'if (role === ROLE.promised) draft.explain',
    replace: 'draft.explain',
  },
  {
    id: 'candidates-nothing-of-something', file: 'decide/same.ts', rule: 'places are told of also to a gang that asks for nothing of something',
    find: '      if (w <= 0) return least;\n',
    replace: '',
  },
  {
    id: 'explain-victim', file: 'explain.ts', rule: 'a victim of priority 0 is not said to have served nobody',
    find: 'reason.victimPriority === undefined',
    replace: '!reason.victimPriority',
  },
  {
    id: 'clocks-starting-earliest', file: 'decide/release.ts', rule: 'of clocks that it starts a plan wakes for the earliest that ends, whatever the capacity type',
    find: 'starting.delete(type);',
    replace: 'starting.clear();',
  },
  {
    id: 'left-over-unconnected', file: 'decide/reclaim.ts', rule: 'what nobody needs is left over also while nothing may be taken back',
    find: '  draft.rememberLeftOver(id, since);\n',
    replace: '  if (supplyTrusted && connected) draft.rememberLeftOver(id, since);\n',
  },
  {
    id: 'row-unit-in-class', file: 'facts/demand.ts', rule: 'a row whose smallest unit has changed is another, though its size class is the same',
    find: ' && equalVectors(known.need.minUnit, need.minUnit)',
    replace: '',
  },
  {
    id: 'role-owner-unknown', file: 'facts/role.ts', rule: 'what is being configured is no offer, though nobody knows for whom',
    find: '  if (state === CONFIGURED || state === CONFIGURING) return ROLE.pending;\n',
    replace: '',
  },
  {
    id: 'upkeep-counts-before', file: 'facts/inventory.ts', rule: 'a machine that changes counts no longer as what it was',
    find: '    if (known >= 0) this.#count(slot, -1);\n',
    replace: '',
  },
  {
    id: 'upkeep-bound-refiled', file: 'facts/inventory.ts', rule: 'a bound machine moves to another group when its hint does',
    find: 'if (slot !== undefined && this.owner(slot) === cluster.name) this.#refile(slot);',
    replace: '',
  },
  {
    id: 'audit-group-size', file: 'facts/audit.ts', rule: 'an audit sees how many machines a group says that it has',
    find: "this.#differences.compare('size', of, group.size, group.met);",
    replace: '',
  },
  {
    id: 'audit-disturbed', file: 'facts/audit.ts', rule: 'an audit says nothing of facts that changed while it was made',
    find: '    if (facts.filings !== began) return undefined;\n',
    replace: '',
  },
  {
    id: 'rebuild-meanwhile', file: 'engine.ts', rule: 'what is told while the facts are rebuilt is not lost',
    find: 'for (const change of told) fresh.apply(change);',
    replace: '',
  },
  {
    id: 'gang-count-taken', file: 'decide/gang-offers.ts', rule: 'all machines of a lot count where as much is taken',
    find: 'stock.count += to - from;',
    replace: 'stock.count += 1;',
  },
  {
    id: 'gang-count-used', file: 'decide/gang-domain.ts', rule: 'what is taken counts among the machines',
    find: '(used === undefined ? 0 : (offer[used]?.count ?? 0))',
    replace: '0',
  },
  {
    id: 'gang-exact-taken', file: 'decide/gang-offers.ts', rule: 'what is taken counts in the exact sum',
    find: '...(besides === undefined ? [] : BESIDES[besides])',
    replace: "...(besides === 'spare' ? BESIDES[besides] : [])",
  },
  {
    id: 'fold-room', file: 'decide/fold.ts', rule: 'gangs wait for no larger machine that the limit leaves no room for',
    find: '(usable.speculative > 0 && this.#room.isOpenTo(priceMicroUsdPerHour))',
    replace: 'usable.speculative > 0',
  },
  {
    id: 'fold-room-changes', file: 'decide/fold.ts', rule: 'gangs are planned anew when the limit leaves more room or less',
    find: 'if (freeVersion === this.#freeVersion && room.equals(this.#room)) return false;',
    replace: 'if (freeVersion === this.#freeVersion) return false;',
  },
  {
    id: 'fold-each-crosses', file: 'facts/inventory.ts', rule: 'gangs are planned anew when the last Idle machine of a class goes, though some of it could be bought',
    find: '(idle === 0) !== (usable.idle === 0) || (speculative',
    replace: '(idle + speculative === 0) !== (usable.idle + usable.speculative === 0) && (speculative',
  },
];

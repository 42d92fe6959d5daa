/** Who may import whom (docs/architecture.md). Tests may reach further than what they test. */
const production = '\\.test\\.ts$|/testing/';

module.exports = {
  forbidden: [
    { name: 'engine-is-pure', severity: 'error', from: { path: '^src/engine/', pathNot: production }, to: { pathNot: '^src/(engine/|api/(types|profile|quantity|constants|unit-class|penalty-bucket)|lib/(compare-text|assert-never|id-index|steps|text-hash))' } },
    { name: 'reconcilers-are-islands', severity: 'error', from: { path: '^src/reconcilers/([^/]+)/', pathNot: production }, to: { path: '^src/reconcilers/', pathNot: '^src/reconcilers/$1/' } },
    { name: 'runtime-knows-no-domain', severity: 'error', from: { path: '^src/runtime/', pathNot: production }, to: { path: '^src/', pathNot: '^src/(runtime|lib)/' } },
    { name: 'api-is-the-bottom', severity: 'error', from: { path: '^src/api/', pathNot: production }, to: { path: '^src/', pathNot: '^src/(api|lib)/|^src/runtime/types\\.ts$' } },
    { name: 'embedded-knows-no-fleet', severity: 'error', from: { path: '^src/embedded/', pathNot: production }, to: { path: '^src/', pathNot: '^src/(embedded|api|lib)/|^src/runtime/types\\.ts$' } },
    { name: 'hot-path-without-coordinator', severity: 'error', from: { path: '^src/reconcilers/(shard|machine)/' }, to: { path: 'coordinator' } },
    { name: 'components-know-no-simulation', severity: 'error', from: { path: '^src/(shard|operator|reconcilers|session|provider)/', pathNot: production }, to: { path: '^src/(world|up|embedded|simulator)/' } },
    { name: 'simulator-is-pure', severity: 'error', from: { path: '^src/simulator/', pathNot: production }, to: { pathNot: '^src/(simulator|engine|api|lib)/|^src/operator/(allowances|contribution|demand-row|pod-request|pod-resources|pod-traits|rollup|row-matching|labels)\\.ts$|^src/world/(trace/(machines|pods|read-trace)|demand/(plan|pod-manifest)|seed-instance|labels)\\.ts$' } },
    { name: 'no-test-code-in-production', severity: 'error', from: { path: '^src/', pathNot: production }, to: { path: production } },
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } } },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: { extensions: ['.ts', '.js', '.json'], exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
};

import js from '@eslint/js';
import ts from 'typescript-eslint';

const impure = ['Date', 'performance', 'process', 'setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'console', 'fetch', 'crypto',
  'globalThis', 'global', 'self']; // these three lead to all the others

export default ts.config(
  { ignores: ['node_modules/', 'src/api/gen/', 'src/api/types.gen.ts'] },
  {
    files: ['**/*.ts'],
    extends: [js.configs.recommended, ...ts.configs.recommended],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true }],
    },
  },
  {
    files: ['src/engine/**/*.ts', 'src/simulator/**/*.ts'],
    ignores: ['**/*.test.ts'],
    rules: {
      'no-restricted-globals': ['error', ...impure],
      'no-restricted-syntax': ['error',
        { selector: ':function[async=true]', message: 'The engine and its simulator decide at once: no promises.' },
        { selector: 'AwaitExpression', message: 'The engine and its simulator decide at once: no promises.' },
        { selector: 'Identifier[name="Promise"]', message: 'The engine and its simulator decide at once: no promises.' }],
      'no-restricted-properties': ['error', { object: 'Math', property: 'random', message: 'Randomness is handed in.' }],
    },
  },
  {
    files: ['src/{operator,runtime,server,session}/**/*.ts'],
    ignores: ['**/*.test.ts'],
    rules: {
      'no-restricted-syntax': ['error', {
        selector: 'CallExpression[callee.property.name=/^(push|unshift|splice|max|min)$/] > SpreadElement',
        message: 'A call takes some 125,000 arguments, and a fleet may have more: add them one by one.',
      }],
    },
  },
);

export type Word = string | number | undefined;

/**
 * What sequences of words stand for. Following one costs a look per word; no text is put together of them, so none can pass
 * for another. Whoever writes sequences says how long a list is before its items.
 */
export class WordTree<T> {
  /** What the sequence that ends here stands for. */
  value: T | undefined = undefined;
  // Most places lead to one other only: that one needs no Map.
  private word: Word = undefined;
  private only: WordTree<T> | undefined = undefined;
  private others: Map<Word, WordTree<T>> | undefined = undefined;

  next(word: Word): WordTree<T> {
    const { only } = this;
    if (only !== undefined && this.word === word) return only;
    return this.others?.get(word) ?? this.grow(word);
  }

  private grow(word: Word): WordTree<T> {
    const place = new WordTree<T>();
    if (this.only === undefined) {
      this.word = word;
      this.only = place;
    } else {
      (this.others ??= new Map()).set(word, place);
    }
    return place;
  }
}

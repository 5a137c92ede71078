/* corpus.h: the files that the tests make are what the fuzzers start from. */
#ifndef TESTS_CORPUS_H
#define TESTS_CORPUS_H

/* Copies the file into the folder $NST_CORPUS, named by its content. Nothing is done when that is not set, or the file
 * is larger than what fuzzing is worth. */
void corpus_keep(const char *path);

#endif

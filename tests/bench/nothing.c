/* nothing.c - a library that does nothing: what preloading any library costs a program's start. */
extern int bench_nothing;
__attribute__((visibility("default"))) int bench_nothing;

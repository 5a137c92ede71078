/* origin.h: where the running code lies, so that an installation finds its files after it was moved. */
#ifndef SUPPORT_ORIGIN_H
#define SUPPORT_ORIGIN_H

/* What lies at the path `way` as seen from the folder of the shared library that holds this code, or of the program if
 * it is linked into one. Absolute, without symbolic links, from malloc; NULL if nothing is there, or the system does not
 * tell. */
char *origin_of_code(const char *way);

/* The same as seen from the folder of the program that this process runs. */
char *origin_of_program(const char *way);

#endif

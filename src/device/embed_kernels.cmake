# Writes the C table of embedded kernels (see kernel_source.h): cmake -DOUTPUT=table.c "-DFILES=a.cl;b.cl;common.h" -P embed_kernels.cmake
# Each byte becomes a number: no limit on the length of a string literal, nothing to escape.
set(arrays "")
set(rows "")
set(number 0)
foreach(path IN LISTS FILES)
  get_filename_component(name ${path} NAME)
  file(READ ${path} bytes HEX)
  string(REGEX REPLACE "(................................)" "\\1\n" bytes "${bytes}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  string(APPEND arrays "static const unsigned char text_${number}[] = {\n${bytes}0};\n")
  string(APPEND rows "    {\"${name}\", (const char *)text_${number}},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(WRITE ${OUTPUT} "/* Made from cl/ by src/device/embed_kernels.cmake. */\n#include \"device/kernel_source.h\"\n\n"
  "${arrays}\nconst struct embedded_kernel embedded_kernels[] = {\n${rows}    {0, 0},\n};\n")

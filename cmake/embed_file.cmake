# cmake -DINPUT= -DOUTPUT= -DSYMBOL= -DHEADER= -P: writes a file's bytes as a C array (see Embed.cmake).
file(READ ${INPUT} hex HEX)
string(LENGTH "${hex}" digits)
math(EXPR bytes "${digits} / 2")
# Character constants: a plain 0xe2 would not fit a signed char.
string(REGEX REPLACE "(..)" "'\\\\x\\1'," array "${hex}")
string(REPEAT "." 98 fourteen)
string(REGEX REPLACE "(${fourteen})" "\\1\n    " array "${array}")
get_filename_component(name ${INPUT} NAME)
file(WRITE ${OUTPUT} "/* Generated from ${name}. */
#include \"${HEADER}\"

const char ${SYMBOL}[] = {
    ${array}'\\0'};
const size_t ${SYMBOL}_bytes = ${bytes};
")

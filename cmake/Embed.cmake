# tn_embed(layer folder out_sources): makes every FILE.in below the folder a C string in the build
# tree, so that text which belongs to the program (kernel preludes, templates) is written, read and
# formatted as a file of its own.
#
# src/backend/cpu/compile/gemm_f32.c.in becomes
#     extern const char tn_text_gemm_f32_c[];        zero terminated
#     extern const size_t tn_text_gemm_f32_c_bytes;  without the terminator
# declared in "embedded_LAYER.h".
set(tn_embed_script ${CMAKE_CURRENT_LIST_DIR}/embed_file.cmake)

function(tn_embed layer folder out_sources)
    file(GLOB_RECURSE texts CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.in)
    set(sources "")
    set(declarations "")
    foreach(text ${texts})
        get_filename_component(name ${text} NAME)
        string(REGEX REPLACE "\\.in$" "" name ${name})
        string(MAKE_C_IDENTIFIER "tn_text_${name}" symbol)
        set(source ${PROJECT_BINARY_DIR}/generated/text/${name}.c)
        add_custom_command(OUTPUT ${source}
            COMMAND ${CMAKE_COMMAND} -DINPUT=${text} -DOUTPUT=${source} -DSYMBOL=${symbol}
                    -DHEADER=embedded_${layer}.h -P ${tn_embed_script}
            DEPENDS ${text} ${tn_embed_script}
            COMMENT "Embedding ${name}" VERBATIM)
        list(APPEND sources ${source})
        string(APPEND declarations
               "extern const char ${symbol}[];\nextern const size_t ${symbol}_bytes;\n")
    endforeach()
    if(texts)
        string(TOUPPER TN_EMBEDDED_${layer}_H guard)
        # Written only when its content changes, so that reconfiguring rebuilds nothing.
        file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/generated/embedded_${layer}.h CONTENT
"/* Generated: the texts embedded from ${folder}/ (each without its zero terminator in _bytes). */
#ifndef ${guard}
#define ${guard}
#include <stddef.h>
${declarations}#endif
")
    endif()
    set(${out_sources} ${sources} PARENT_SCOPE)
endfunction()

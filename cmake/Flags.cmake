# Compiler flags. `tn_flags` is for everything that tenon compiles and shows it the public headers;
# `tn_flags_inside` adds src/ and the generated headers, for the library and its tests;
# `tn_flags_wconv` adds -Wconversion too, for the layers that compute with sizes from outside.
add_library(tn_flags INTERFACE)
target_compile_definitions(tn_flags INTERFACE _GNU_SOURCE)
target_compile_options(tn_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wundef -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual
    -Wwrite-strings -Wvla
    # Builds of the same source in different folders give the same bytes.
    -ffile-prefix-map=${PROJECT_SOURCE_DIR}/=
    $<$<BOOL:${TENON_WERROR}>:-Werror>)
target_include_directories(tn_flags INTERFACE ${PROJECT_SOURCE_DIR}/include)

add_library(tn_flags_inside INTERFACE)
target_link_libraries(tn_flags_inside INTERFACE tn_flags)
target_include_directories(tn_flags_inside INTERFACE
    ${PROJECT_SOURCE_DIR}/src ${PROJECT_BINARY_DIR}/generated)

add_library(tn_flags_wconv INTERFACE)
target_link_libraries(tn_flags_wconv INTERFACE tn_flags_inside)
target_compile_options(tn_flags_wconv INTERFACE -Wconversion)

if(TENON_SANITIZE)
    set(sanitize -fsanitize=${TENON_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_compile_options(tn_flags INTERFACE ${sanitize})
    target_link_options(tn_flags INTERFACE ${sanitize})
endif()
if(TENON_FUZZ)
    target_compile_options(tn_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

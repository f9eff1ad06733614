# Tests are found, not listed:
#
#   tests/KIND/test_NAME.c    a program with its own main (cmocka), linked to all layers with internal
#                             names visible: test KIND.NAME
#   tests/KIND/test_NAME.py   run with build/venv's Python (scripts/bootstrap): test KIND.NAME
#   tests/fuzz/fuzz_NAME.c    a fuzz target (LLVMFuzzerTestOneInput): test fuzz.NAME replays the files
#                             of tests/fuzz/corpus/NAME/ with cuts and changes (tests/fuzz/replay.c)
#   tests/golden/NAME/*       input of tests/golden/golden_NAME.c: one test golden.NAME.CASE each, the
#                             file as first argument; with --bless before it, the file is rewritten
#   tests/checks/check_NAME.py  a check of the tree or the build: test check.NAME
#
# Labels are tiers: quick (all together under a minute; the default of C tests), standard (also part
# of `make test`; the default of Python tests), full (`make test-full` only). A comment "ctest: full"
# or "ctest: full timeout=1200" within a file's first 20 lines overrides. Checks have the label check
# (`make check`), and quick too if their comment says so.
#
# Every test runs in an empty folder of its own under the build tree, with TENON_TESTS (tests/),
# TENON (the command) and TENON_BUILD (the build folder) in its environment; `import tenon` finds the
# package of the build tree.
find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)
set(tn_tests ${PROJECT_SOURCE_DIR}/tests)
set(TENON_PYTHON ${PROJECT_SOURCE_DIR}/build/venv/bin/python CACHE FILEPATH
    "Python with PyTorch, for the tests that compare with it (made by scripts/bootstrap)")
if(TENON_SANITIZE)
    set(tn_timeout_factor 5)
else()
    set(tn_timeout_factor 1)
endif()

# tn_test(NAME FILE DEFAULT_TIER COMMAND...): registers a test with the properties described above.
function(tn_test name file tier)
    file(STRINGS ${file} marks LIMIT_COUNT 20)
    set(timeout 60)
    foreach(mark ${marks})
        if(mark MATCHES "ctest: (quick|standard|full)")
            set(tier ${CMAKE_MATCH_1})
        endif()
        if(mark MATCHES "ctest: .*timeout=([0-9]+)")
            set(timeout ${CMAKE_MATCH_1})
        endif()
    endforeach()
    math(EXPR timeout "${timeout} * ${tn_timeout_factor}")
    set(work ${PROJECT_BINARY_DIR}/tests/work/${name})
    file(MAKE_DIRECTORY ${work})
    add_test(NAME ${name} COMMAND ${ARGN} WORKING_DIRECTORY ${work})
    set(environment TENON_TESTS=${tn_tests} TENON_BUILD=${PROJECT_BINARY_DIR}
        PYTHONPATH=${PROJECT_BINARY_DIR}/python)
    if(TARGET tenon_command)
        list(APPEND environment TENON=$<TARGET_FILE:tenon_command>)
    endif()
    set_tests_properties(${name} PROPERTIES LABELS ${tier} TIMEOUT ${timeout}
                         ENVIRONMENT "${environment}")
endfunction()

function(tn_test_program target file)
    add_executable(${target} ${file})
    set_target_properties(${target} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/bin)
    target_link_libraries(${target} PRIVATE tn_flags_inside ${ARGN})
endfunction()

# A program linked to libtenon_rt alone, static and shared: the split of DESIGN's layers is real.
foreach(library tenon_rt tenon_rt_static)
    tn_test_program(link_${library} ${tn_tests}/link/runtime_alone.c ${library})
    tn_test(link.${library} ${tn_tests}/link/runtime_alone.c quick link_${library})
endforeach()

if(NOT TENON_RT_ONLY)
    tn_third_party(cmocka libcmocka-dev cmocka.h "")
    find_library(TENON_CMOCKA_LIBRARY NAMES cmocka REQUIRED)
    target_link_libraries(tn_third_cmocka INTERFACE ${TENON_CMOCKA_LIBRARY})

    list(TRANSFORM tn_full_layers REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>" OUTPUT_VARIABLE objects)
    file(GLOB helpers CONFIGURE_DEPENDS ${tn_tests}/support/*.c)
    add_library(tn_internal STATIC ${objects} ${helpers})
    set_target_properties(tn_internal PROPERTIES LINKER_LANGUAGE C
        ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
    target_link_libraries(tn_internal PRIVATE tn_flags_inside
                          INTERFACE ${tn_full_third} ${tn_system_libraries})
    target_include_directories(tn_internal INTERFACE ${tn_tests}/support)

    file(GLOB programs CONFIGURE_DEPENDS ${tn_tests}/*/test_*.c)
    foreach(file ${programs})
        string(REGEX MATCH "([^/]+)/test_([^/]+)\\.c$" whole ${file})
        set(kind ${CMAKE_MATCH_1})
        set(name ${CMAKE_MATCH_2})
        tn_test_program(test_${kind}_${name} ${file} tn_internal tn_third_cmocka)
        tn_test(${kind}.${name} ${file} quick test_${kind}_${name})
    endforeach()

    # Every example in C builds: examples/NAME/NAME.c, as build/PRESET/tests/bin/example_NAME.
    file(GLOB examples CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/examples/*/*.c)
    list(FILTER examples EXCLUDE REGEX "cmake_consumer")
    foreach(example ${examples})
        get_filename_component(name ${example} NAME_WE)
        add_executable(example_${name} ${example})
        set_target_properties(example_${name} PROPERTIES
            RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/bin)
        target_link_libraries(example_${name} PRIVATE tn_flags tenon)
    endforeach()

    # A regular build replays the corpus; the fuzz preset (clang) makes each target a libFuzzer program.
    file(GLOB targets CONFIGURE_DEPENDS ${tn_tests}/fuzz/fuzz_*.c)
    if(targets AND NOT TENON_FUZZ)
        add_library(tn_replay OBJECT ${tn_tests}/fuzz/replay.c)
        target_link_libraries(tn_replay PRIVATE tn_flags)
    endif()
    foreach(target ${targets})
        string(REGEX MATCH "fuzz_([^/]+)\\.c$" whole ${target})
        set(name ${CMAKE_MATCH_1})
        tn_test_program(fuzz_${name} ${target} tn_internal)
        if(TENON_FUZZ)
            target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
        else()
            target_link_libraries(fuzz_${name} PRIVATE tn_replay)
            tn_test(fuzz.${name} ${target} quick fuzz_${name} ${tn_tests}/fuzz/corpus/${name})
        endif()
    endforeach()

    file(GLOB drivers CONFIGURE_DEPENDS ${tn_tests}/golden/golden_*.c)
    add_custom_target(bless COMMENT "Rewriting golden files: read the difference before committing")
    foreach(driver ${drivers})
        string(REGEX MATCH "golden_([^/]+)\\.c$" whole ${driver})
        set(name ${CMAKE_MATCH_1})
        tn_test_program(golden_${name} ${driver} tn_internal)
        file(GLOB cases CONFIGURE_DEPENDS ${tn_tests}/golden/${name}/*)
        foreach(case ${cases})
            get_filename_component(stem ${case} NAME_WE)
            tn_test(golden.${name}.${stem} ${driver} quick golden_${name} ${case})
            add_custom_command(TARGET bless POST_BUILD COMMAND golden_${name} --bless ${case} VERBATIM)
        endforeach()
    endforeach()

    # Runs the cases of operators for tests/ops/test_cases.py.
    tn_test_program(run_graph ${tn_tests}/ops/run_graph.c tn_internal tn_third_cmocka)
    # Compares engines with themselves for tests/e2e/run.py.
    tn_test_program(compare_in_place ${tn_tests}/e2e/compare_in_place.c tn_internal)

    file(GLOB scripts CONFIGURE_DEPENDS ${tn_tests}/*/test_*.py)
    if(NOT TARGET tenon_python)
        list(FILTER scripts EXCLUDE REGEX "/tests/python/")
    endif()
    foreach(script ${scripts})
        string(REGEX MATCH "([^/]+)/test_([^/]+)\\.py$" whole ${script})
        tn_test(${CMAKE_MATCH_1}.${CMAKE_MATCH_2} ${script} standard
                ${TENON_PYTHON} -B ${script})
    endforeach()

    file(GLOB checks CONFIGURE_DEPENDS ${tn_tests}/checks/check_*.py)
    foreach(check ${checks})
        string(REGEX MATCH "check_([^/]+)\\.py$" whole ${check})
        set(name ${CMAKE_MATCH_1})
        tn_test(check.${name} ${check} check
                ${Python3_EXECUTABLE} -B ${check} ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
        set_property(TEST check.${name} APPEND PROPERTY LABELS check)
    endforeach()
endif()

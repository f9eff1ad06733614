# The Python package in the build tree, BUILD/python/tenon: the extension module tenon._core beside
# links to the sources in python/tenon, so that tests import what is being worked on, and the entry
# points of pyproject.toml, so that PyTorch finds the backend as if it were installed. The wheel
# (pyproject.toml) installs the component `python`.
#
# The module is built for Python's limited API and linked to the static library: one file serves
# Python 3.9 and later and needs nothing of tenon besides.
find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter Development.Module)
file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/python/src/*.c)
if(TENON_RT_ONLY)
    list(FILTER sources EXCLUDE REGEX "/py_compile\\.c$")
    set(library tenon_rt_static)
else()
    set(library tenon_static)
endif()

set(package ${PROJECT_BINARY_DIR}/python/tenon)
add_library(tenon_python MODULE ${sources})
target_link_libraries(tenon_python PRIVATE Python3::Module ${library} tn_flags)
target_compile_definitions(tenon_python PRIVATE Py_LIMITED_API=0x03090000
    $<$<BOOL:${TENON_RT_ONLY}>:TENON_RT_ONLY>)
target_link_options(tenon_python PRIVATE -Wl,--exclude-libs,ALL -Wl,-z,now)
set_target_properties(tenon_python PROPERTIES
    PREFIX "" OUTPUT_NAME _core SUFFIX .abi3.so LIBRARY_OUTPUT_DIRECTORY ${package})
install(TARGETS tenon_python LIBRARY DESTINATION tenon COMPONENT python EXCLUDE_FROM_ALL)

file(GLOB modules CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}/python/tenon
    ${PROJECT_SOURCE_DIR}/python/tenon/*.py)
file(MAKE_DIRECTORY ${package})
foreach(module ${modules})
    file(CREATE_LINK ${PROJECT_SOURCE_DIR}/python/tenon/${module} ${package}/${module} SYMBOLIC)
endforeach()

set(installed ${PROJECT_BINARY_DIR}/python/tenon-${PROJECT_VERSION}.dist-info)
file(WRITE ${installed}/METADATA
    "Metadata-Version: 2.1\nName: tenon\nVersion: ${PROJECT_VERSION}\n")
file(READ ${PROJECT_SOURCE_DIR}/pyproject.toml project)
string(REGEX MATCH "\\[project\\.entry-points\\.(torch_dynamo_backends)\\]\n(tenon) = \"([^\"]+)\"" entry
    "${project}")
file(WRITE ${installed}/entry_points.txt "[${CMAKE_MATCH_1}]\n${CMAKE_MATCH_2} = ${CMAKE_MATCH_3}\n")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/pyproject.toml)

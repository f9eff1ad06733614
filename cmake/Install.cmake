# make install: libraries, headers, the command, pkg-config files and a CMake package.
include(CMakePackageConfigHelpers)
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/tenon)

set(installed tenon_rt tenon_rt_static)
if(NOT TENON_RT_ONLY)
    list(APPEND installed tenon tenon_static)
endif()
set_target_properties(tenon_rt PROPERTIES EXPORT_NAME rt)
set_target_properties(tenon_rt_static PROPERTIES EXPORT_NAME rt_static)
if(NOT TENON_RT_ONLY)
    set_target_properties(tenon_static PROPERTIES EXPORT_NAME static)
endif()
foreach(target ${installed})
    get_target_property(name ${target} EXPORT_NAME)
    if(NOT name)
        set(name ${target})
    endif()
    add_library(tenon::${name} ALIAS ${target})
endforeach()

install(TARGETS ${installed} EXPORT tenon
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(TARGET tenon_command)
    install(TARGETS tenon_command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(DIRECTORY include/tenon DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")

install(EXPORT tenon NAMESPACE tenon:: FILE tenonTargets.cmake DESTINATION ${package})
configure_package_config_file(cmake/tenonConfig.cmake.in ${PROJECT_BINARY_DIR}/tenonConfig.cmake
    INSTALL_DESTINATION ${package})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/tenonConfigVersion.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/tenonConfig.cmake ${PROJECT_BINARY_DIR}/tenonConfigVersion.cmake
    DESTINATION ${package})

# The .pc files find their prefix from their own place, so that an installed tree may be moved.
function(tn_pkg_config name description)
    set(library ${name})
    file(RELATIVE_PATH to_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
    configure_file(cmake/library.pc.in ${PROJECT_BINARY_DIR}/${name}.pc @ONLY)
    install(FILES ${PROJECT_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endfunction()
tn_pkg_config(tenon_rt "Runs tenon engine files")
if(NOT TENON_RT_ONLY)
    tn_pkg_config(tenon "Compiles PyTorch models into engine files and runs them")
endif()

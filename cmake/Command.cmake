# The `tenon` command: everything in tools/, over the public headers alone. Linked to the static
# library, so that the one file can be copied anywhere.
file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tools/*.c)
if(sources)
    add_executable(tenon_command ${sources})
    set_target_properties(tenon_command PROPERTIES OUTPUT_NAME tenon)
    target_link_libraries(tenon_command PRIVATE tenon_static tn_flags)
endif()

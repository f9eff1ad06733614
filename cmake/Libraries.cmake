# libtenon and libtenon_rt, shared and static.
#
# The static libraries are one relocatable object each: all layers and the third-party code that they
# use, linked together (ld -r), after which every symbol that is not public API is made local. So a
# program links libtenon.a and nothing else, and neither our internal names nor a second zlib can
# collide with the program's own.
set(tn_system_libraries Threads::Threads m ${CMAKE_DL_LIBS})

function(tn_library name layers third)
    list(TRANSFORM layers REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>" OUTPUT_VARIABLE objects)

    add_library(${name} SHARED ${objects})
    target_link_libraries(${name} PRIVATE ${third} ${tn_system_libraries} tn_flags)
    target_link_options(${name} PRIVATE -Wl,--exclude-libs,ALL -Wl,--no-undefined -Wl,-z,now)
    if(TENON_SANITIZE)
        # The sanitizer's runtime comes from the program.
        target_link_options(${name} PRIVATE -Wl,-z,undefs)
    endif()
    target_include_directories(${name} INTERFACE
        $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
    set_target_properties(${name} PROPERTIES VERSION ${PROJECT_VERSION}
        SOVERSION ${PROJECT_VERSION_MAJOR} LINKER_LANGUAGE C)

    set(archives "")
    foreach(target ${third})
        get_target_property(type ${target} TYPE)
        if(type STREQUAL "STATIC_LIBRARY")
            list(APPEND archives $<TARGET_FILE:${target}>)
        endif()
    endforeach()
    set(whole ${PROJECT_BINARY_DIR}/${name}_whole.o)
    add_custom_command(OUTPUT ${whole}
        COMMAND ${CMAKE_LINKER} -r -o ${whole} ${objects}
                --start-group ${archives} --end-group
        COMMAND ${CMAKE_OBJCOPY} --wildcard --keep-global-symbol=tn_* ${whole}
        COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${whole}
        DEPENDS ${layers} ${objects}
        COMMENT "Linking ${name}_whole.o" COMMAND_EXPAND_LISTS VERBATIM)
    add_library(${name}_static STATIC ${whole})
    set_target_properties(${name}_static PROPERTIES OUTPUT_NAME ${name} LINKER_LANGUAGE C)
    target_link_libraries(${name}_static INTERFACE ${tn_system_libraries})
    target_include_directories(${name}_static INTERFACE
        $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
endfunction()

list(REMOVE_DUPLICATES tn_rt_third)
list(REMOVE_DUPLICATES tn_full_third)
tn_library(tenon_rt "${tn_rt_layers}" "${tn_rt_third}")
if(NOT TENON_RT_ONLY)
    tn_library(tenon "${tn_full_layers}" "${tn_full_third}")
endif()

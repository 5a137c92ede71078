/* client.c: the smallest client of the installed library: lists the devices and shows that nothing more is needed. */
#include <nst.h>
#include <stdio.h>

int main(void) {
    nst_error error = {0};
    nst_device_list list;
    if (nst_device_list_create(&list, &error) != NST_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    for (size_t i = 0; i < list.count; i++)
        printf("%d:%d %s\n", list.devices[i].platform_index, list.devices[i].device_index, list.devices[i].name);
    nst_device_list_free(&list);

    nst_settings settings;
    if (nst_settings_init(&settings, "no such preset", &error) != NST_ERROR_ARGUMENT)
        return 1;
    return nst_settings_init(&settings, NULL, NULL) == NST_OK && settings.size_px > 0 ? 0 : 1;
}

/* client.c: a small client of the installed library: lists the devices, and shows that nothing more is needed. With the
 * argument "network" it opens the default network and prints its file. */
#include <nst.h>
#include <stdio.h>
#include <string.h>

static int fail(const nst_error *error) {
    fprintf(stderr, "%s\n", error->message);
    return 1;
}

static int print_network(void) {
    nst_error error = {0};
    nst_network *network;
    if (nst_network_open("vgg19-reduced", NULL, &network, &error) != NST_OK)
        return fail(&error);
    printf("%s\n", nst_network_path(network));
    nst_network_destroy(network);
    return 0;
}

static int list_devices(void) {
    nst_error error = {0};
    nst_device_list list;
    if (nst_device_list_create(&list, &error) != NST_OK)
        return fail(&error);
    for (size_t i = 0; i < list.count; i++)
        printf("%d:%d %s\n", list.devices[i].platform_index, list.devices[i].device_index, list.devices[i].name);
    nst_device_list_free(&list);

    nst_settings settings;
    if (nst_settings_init(&settings, "no such preset", &error) != NST_ERROR_ARGUMENT)
        return 1;
    return nst_settings_init(&settings, NULL, NULL) == NST_OK && settings.size_px > 0 ? 0 : 1;
}

int main(int count, char **arguments) {
    return count == 2 && strcmp(arguments[1], "network") == 0 ? print_network() : list_devices();
}
